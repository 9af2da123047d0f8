"""What the countries are called: two codes, the English and the German name, then other names people type.

One line a country: ``CODE ALPHA3 English|German|other|…``; a line that starts with spaces goes on with the
country before. Codes are ISO 3166-1, and XK, its user-assigned code for Kosovo in wide use. The names are
those that people type, not a list of states.
"""

from __future__ import annotations

COUNTRY_LINES = """\
AD AND Andorra|Andorra|Andorre
AE ARE United Arab Emirates|Vereinigte Arabische Emirate|Emirats Arabes Unis|Emiratos Árabes
    Unidos|Emirati Arabi Uniti|UAE|VAE|Emirates|Emirate|الإمارات
AF AFG Afghanistan|Afghanistan|Afganistán
AG ATG Antigua and Barbuda|Antigua und Barbuda|Antigua et Barbuda|Antigua y Barbuda|Antigua e
    Barbuda
AI AIA Anguilla|Anguilla|Anguila
AL ALB Albania|Albanien|Albanie|Shqipëria
AM ARM Armenia|Armenien|Arménie
AO AGO Angola|Angola
AQ ATA Antarctica|Antarktis|Antarctique|Antártida|Antartide
AR ARG Argentina|Argentinien|Argentine
AS ASM American Samoa|Amerikanisch-Samoa|Samoa américaines|Samoa Americana|Samoa americane
AT AUT Austria|Österreich|Autriche|A|Republik Österreich|Oostenrijk|Avusturya|Rakousko|Österrike
AU AUS Australia|Australien|Australie|Commonwealth of Australia
AW ABW Aruba|Aruba
AX ALA Åland Islands|Ålandinseln|Aaland-Inseln|Îles Åland|Islas Aland|Isole Aland|Åland
AZ AZE Azerbaijan|Aserbaidschan|Azerbaïdjan|Azerbaiyán|Azerbaigian
BA BIH Bosnia and Herzegovina|Bosnien und Herzegowina|Bosnie-Herzégovine|Bosnia y
    Hercegovina|Bosnia-Erzegovina|Bosnien|Bosnia|Bosna i Hercegovina|Bosnien-Herzegowina
BB BRB Barbados|Barbados|Barbade
BD BGD Bangladesh|Bangladesch
BE BEL Belgium|Belgien|Belgique|Bélgica|Belgio|B|België
BF BFA Burkina Faso|Burkina Faso
BG BGR Bulgaria|Bulgarien|Bulgarie|България
BH BHR Bahrain|Bahrain|Bahreïn
BI BDI Burundi|Burundi
BJ BEN Benin|Benin
BL BLM Saint Barthélemy|St. Barthélemy|San Bartolomé
BM BMU Bermuda|Bermuda|Bermudes|Bermudas
BN BRN Brunei|Brunei|Brunei Darussalam
BO BOL Bolivia|Bolivien|Bolivie|Plurinational State of Bolivia|Bolivia, Plurinational State of
BQ BES Bonaire, Sint Eustatius and Saba|Bonaire, Sint Eustatius und Saba|Bonaire, Saint-Eustache et
    Saba|Bonaire, San Eustaquio y Saba|Bonaire, Sint Eustatius e Saba|Caribbean
    Netherlands|Karibische Niederlande
BR BRA Brazil|Brasilien|Brésil|Brasil|Brasile
BS BHS Bahamas|Bahamas|The Bahamas
BT BTN Bhutan|Bhutan|Bhoutan|Bután
BV BVT Bouvet Island|Bouvetinsel|Île Bouvet|Isla Bouvet|Isola di Bouvet
BW BWA Botswana|Botsuana
BY BLR Belarus|Belarus|Biélo-Russie|Bielorrusia|Bielorussia|Weißrussland|Беларусь|White Russia
BZ BLZ Belize|Belize|Belice
CA CAN Canada|Kanada
CC CCK Cocos Islands|Kokosinseln|Îles Cocos|Islas Cocos|Isole Cocos|Keeling Islands|Cocos (Keeling)
    Islands
CD COD DR Congo|DR Kongo|The Democratic Republic Of Congo|Demokratische Republik Kongo|République
    démocratique du Congo|República Democrática del Congo|Repubblica democratica del
    Congo|Democratic Republic of the Congo|Congo, Democratic Republic of the|Congo-Kinshasa|RD Congo
CF CAF Central African Republic|Zentralafrikanische Republik|République Centre-Africaine|República
    Centroafricana|Repubblica Centrafricana
CG COG Congo|Kongo|Republic of the Congo|Congo-Brazzaville|Republik Kongo
CH CHE Switzerland|Schweiz|Helvetia|Suisse|Suiza|Svizzera|Schweizerische Eidgenossenschaft|Confoederatio
    Helvetica|Svizra|Zwitserland|Szwajcaria|Switserland
CI CIV Ivory Coast|Elfenbeinküste|Côte d'Ivoire|Costa de Marfil|Costa d'Avorio
CK COK Cook Islands|Cookinseln|Îles Cook|Islas Cook|Isole Cook
CL CHL Chile|Chile|Chili|Cile
CM CMR Cameroon|Kamerun|Cameroun|Camerún
CN CHN China|China|Chine|Cina|People's Republic of China|PRC|P.R. China|Volksrepublik China|VR
    China|中国|中國|Mainland China
CO COL Colombia|Kolumbien|Colombie
CR CRI Costa Rica|Costa Rica
CU CUB Cuba|Kuba
CV CPV Cape Verde|Kap Verde|Cap Vert|Cabo Verde|Capo Verde
CW CUW Curaçao|Curaçao
CX CXR Christmas Island|Weihnachtsinsel|Île Christmas|Isla Christmas|Isola di Natale
CY CYP Cyprus|Zypern|Chypre|Chipre|Cipro|Κύπρος|Kıbrıs
CZ CZE Czechia|Tschechien|Czech Republic|Tschechische Republik|République Tchèque|Chequia|Repubblica
    Ceca|Česko|Česká republika|Tschechei
DE DEU Germany|Deutschland|Allemagne|Alemania|Germania|BRD|D|Deutschland (DE)|Bundesrepublik
    Deutschland|Federal Republic of Germany|Duitsland|Niemcy|Almanya|Tyskland|Alemanha|Saksa
DJ DJI Djibouti|Dschibuti|Yibuti|Gibuti
DK DNK Denmark|Dänemark|Dinamarca|Danimarca|Danmark|Denemarken
DM DMA Dominica|Dominica|Dominique
DO DOM Dominican Republic|Dominikanische Republik|République Dominicaine|República
    Dominicana|Repubblica Dominicana
DZ DZA Algeria|Algerien|Algérie|Argelia|الجزائر
EC ECU Ecuador|Ecuador|Equateur
EE EST Estonia|Estland|Estonie|Eesti
EG EGY Egypt|Ägypten|Egypte|Egipto|Egitto|مصر
EH ESH Western Sahara|Westsahara|Sahara Occidental|Sahara Occidentale
ER ERI Eritrea|Eritrea|Erythrée
ES ESP Spain|Spanien|Espagne|España|Spagna|E|Reino de España|Spanje|Hiszpania
ET ETH Ethiopia|Äthiopien|Ethiopie|Etiopía
FI FIN Finland|Finnland|Finlande|Finlandia|Suomi
FJ FJI Fiji|Fidschi|Fidji|Fiyi|Figi
FK FLK Falkland Islands|Falklandinseln|Îles Malouines|Islas Malvinas|Isole Falkland|Falkland Islands
    (Malvinas)|Malvinas
FM FSM Micronesia|Mikronesien|Micronésie|Federated States of Micronesia
FO FRO Faroe Islands|Färöer|Färöer-Inseln|Îles Féroé|Islas Feroe|Isole Færoer
FR FRA France|Frankreich|Francia|F|République française|La France|Frankrijk|Francja|Frankrike
GA GAB Gabon|Gabun
GB GBR United Kingdom|Vereinigtes Königreich|Royaume-Uni|Reino Unido|Regno Unito|UK|Great
    Britain|Britain|Großbritannien|England|Scotland|Schottland|Wales|Northern
    Ireland|Nordirland|Grande-Bretagne|Gran Bretaña|Gran
    Bretagna|Angleterre|Inglaterra|Inghilterra|UK of Great Britain and Northern Ireland|Verenigd
    Koninkrijk|Wielka Brytania
GD GRD Grenada|Grenada|Grenade|Granada
GE GEO Georgia|Georgien|Géorgie|საქართველო
GF GUF French Guiana|Französisch-Guayana|Guyane française|Guayana Francesa|Guayana Francese
GG GGY Guernsey|Guernsey|Guernesey
GH GHA Ghana|Ghana
GI GIB Gibraltar|Gibraltar|Gibilterra
GL GRL Greenland|Grönland|Groenland|Groenlandia
GM GMB Gambia|Gambia|Gambie|The Gambia
GN GIN Guinea|Guinea|Guinée
GP GLP Guadeloupe|Guadeloupe|Guadalupe|Guadalupa
GQ GNQ Equatorial Guinea|Äquatorialguinea|Guinée Equatoriale|Guinea Ecuatorial|Guinea Equatoriale
GR GRC Greece|Griechenland|Grèce|Grecia|Hellas|Ελλάδα|EL|Griechische Republik|Hellenic Republic
GS SGS South Georgia and the South Sandwich Islands|Südgeorgien und die Südlichen
    Sandwichinseln|Süd-Georgia und die südlichen Sandwich-Inseln|Géorgie du Sud et îles Sandwich du
    Sud|Islas Georgia del Sur y Sandwich del Sur|Georgia del sud e isole Sandwich meridionali
GT GTM Guatemala|Guatemala
GU GUM Guam|Guam
GW GNB Guinea-Bissau|Guinea-Bissau|Guinée-Bissau
GY GUY Guyana|Guyana
HK HKG Hong Kong|Hongkong|Hong Kong SAR|香港
HM HMD Heard Island and McDonald Islands|Heard und McDonaldinseln|Île Heard et îles McDonald|Islas
    Heard y McDonald|Isole Heard e McDonald
HN HND Honduras|Honduras
HR HRV Croatia|Kroatien|Croatie|Croacia|Croazia|Hrvatska
HT HTI Haiti|Haiti
HU HUN Hungary|Ungarn|Hongrie|Hungría|Ungheria|H|Magyarország
ID IDN Indonesia|Indonesien|Indonésie
IE IRL Ireland|Irland|Irlande|Irlanda|Eire|Republic of Ireland|Republik Irland|Ierland
IL ISR Israel|Israel|Israele|ישראל
IM IMN Isle of Man|Isle of Man|Ile de Man|Isla de Man|Isola di Man
IN IND India|Indien|Inde|Bharat|भारत
IO IOT British Indian Ocean Territory|Britisches Territorium im Indischen Ozean|Britische
    Territorien im Indischen Ozean|Territoires britanniques de l'Océan Indien|Territorio Británico
    del Océano Índico|Territorio britannico dell'Oceano Indiano
IQ IRQ Iraq|Irak|العراق
IR IRN Iran|Iran|Islamic Republic of Iran|Iran, Islamic Republic of|ایران
IS ISL Iceland|Island|Islande|Islandia|Islanda
IT ITA Italy|Italien|Italie|Italia|I|Repubblica italiana|Włochy
JE JEY Jersey|Jersey
JM JAM Jamaica|Jamaika|Jamaïque|Giamaica
JO JOR Jordan|Jordanien|Jordanie|Jordania|Giordania|الأردن
JP JPN Japan|Japan|Japon|Giappone|日本|Nippon
KE KEN Kenya|Kenia
KG KGZ Kyrgyzstan|Kirgistan|Kirguizistán|Kirghizistan
KH KHM Cambodia|Kambodscha|Cambodge|Camboya|Cambogia
KI KIR Kiribati|Kiribati
KM COM Comoros|Komoren|Comores|Comore
KN KNA Saint Kitts and Nevis|St. Kitts und Nevis|Saint Kitts und
    Nevis|Saint-Christophe-et-Niévès|San Cristóbal y Nieves|Saint Kitts e Nevis
KP PRK North Korea|Nordkorea|Corée du Nord|Corea del Norte|Corea del Nord|Democratic People's
    Republic of Korea|Korea, Democratic People's Republic of|DPRK
KR KOR South Korea|Südkorea|Corée du Sud|Corea del Sur|Corea del Sud|Korea|Republic of
    Korea|Republik Korea|Korea, Republic of|대한민국|한국|S. Korea
KW KWT Kuwait|Kuwait|Koweit|الكويت
KY CYM Cayman Islands|Kaimaninseln|Îles Caïmans|Islas Caimán|Isole Cayman
KZ KAZ Kazakhstan|Kasachstan|Kazajstán|Қазақстан
LA LAO Laos|Laos|Lao PDR|Lao People's Democratic Republic
LB LBN Lebanon|Libanon|Liban|Líbano|لبنان
LC LCA Saint Lucia|St. Lucia|Sainte-Lucie|Santa Lucia|Sainte Lucia
LI LIE Liechtenstein|Liechtenstein|FL|Fürstentum Liechtenstein
LK LKA Sri Lanka|Sri Lanka
LR LBR Liberia|Liberia
LS LSO Lesotho|Lesotho|Lesoto
LT LTU Lithuania|Litauen|Lithuanie|Lituania|Lietuva
LU LUX Luxembourg|Luxemburg|Luxemburgo|Lussemburgo|L|Lëtzebuerg|Grand Duchy of
    Luxembourg|Großherzogtum Luxemburg
LV LVA Latvia|Lettland|Lettonie|Letonia|Lettonia|Latvija
LY LBY Libya|Libyen|Libye|Libia
MA MAR Morocco|Marokko|Maroc|Marruecos|Marocco|المغرب
MC MCO Monaco|Monaco
MD MDA Moldova|Moldau|Moldavie|Moldavia|Republic of Moldova|Moldawien
ME MNE Montenegro|Montenegro|Crna Gora
MF MAF Saint Martin|St. Martin|San Martín|Saint Martin (French part)
MG MDG Madagascar|Madagaskar
MH MHL Marshall Islands|Marshallinseln|Îles Marshall|Islas Marshall|Isole Marshall
MK MKD North Macedonia|Nordmazedonien|Macedonia|Mazedonien|Macédoine|FYROM|Северна Македонија
ML MLI Mali|Mali
MM MMR Myanmar|Myanmar|Burma|Birma
MN MNG Mongolia|Mongolei|Mongolie
MO MAC Macao|Macau|Macao SAR
MP MNP Northern Mariana Islands|Nördliche Marianen|Nördliche Mariannen-Inseln|Îles Mariannes du
    Nord|Islas Marianas del Norte|Isole Marianne settentrionali
MQ MTQ Martinique|Martinique|Martinica
MR MRT Mauritania|Mauretanien|Mauritanie
MS MSR Montserrat|Montserrat
MT MLT Malta|Malta|Malte
MU MUS Mauritius|Mauritius|Maurice|Mauricio|Maurizio
MV MDV Maldives|Maldiven|Maldivas|Maldive
MW MWI Malawi|Malawi|Malaui
MX MEX Mexico|Mexiko|Mexique|Messico|Estados Unidos Mexicanos
MY MYS Malaysia|Malaysia|Malaisie|Malasia
MZ MOZ Mozambique|Mosambik|Mozambico
NA NAM Namibia|Namibia|Namibie
NC NCL New Caledonia|Neukaledonien|Nouvelle-Calédonie|Nueva Caledonia|Nuova Caledonia
NE NER Niger|Niger
NF NFK Norfolk Island|Norfolkinsel|Île Norfolk|Isla Norfolk|Isola Norfolk
NG NGA Nigeria|Nigeria
NI NIC Nicaragua|Nicaragua
NL NLD Netherlands|Niederlande|Pays-Bas|Holanda|Paesi Bassi|Holland|Nederland|The
    Netherlands|Netherland|Hollande|Olanda|Holandia|Königreich der Niederlande
NO NOR Norway|Norwegen|Norvège|Noruega|Norvegia|N|Norge|Noreg|Noorwegen
NP NPL Nepal|Nepal
NR NRU Nauru|Nauru
NU NIU Niue|Niue
NZ NZL New Zealand|Neuseeland|Nouvelle-Zélande|Nueva Zelanda|Nuova Zelanda|Aotearoa
OM OMN Oman|Oman
PA PAN Panama|Panama
PE PER Peru|Peru|Pérou
PF PYF French Polynesia|Französisch-Polynesien|Polynésie Française|Polinesia Francesa|Polinesia
    Francese
PG PNG Papua New Guinea|Papua-Neuguinea|Papouasie-Nouvelle-Guinée|Papua Nuova Guinea
PH PHL Philippines|Philippinen|Filipinas|Filippine|The Philippines|Pilipinas
PK PAK Pakistan|Pakistan|Paquistán
PL POL Poland|Polen|Pologne|Polonia|Polska|Republic of Poland
PM SPM Saint Pierre and Miquelon|St. Pierre und Miquelon|Saint-Pierre-et-Miquelon|San Pedro y
    Miquelón|Saint Pierre e Miquelon
PN PCN Pitcairn|Pitcairn|Islas Pitcairn
PR PRI Puerto Rico|Puerto Rico|Porto Rico
PS PSE Palestine|Palästina|Palestina|State of Palestine|Palestinian Territories|فلسطين
PT PRT Portugal|Portugal|Portogallo|P|República Portuguesa
PW PLW Palau|Palau|Belau|Palaos
PY PRY Paraguay|Paraguay
QA QAT Qatar|Katar|قطر
RE REU Réunion|Réunion|La Réunion
RO ROU Romania|Rumänien|Roumanie|Rumania
RS SRB Serbia|Serbien|Serbie|Srbija|Србија
RU RUS Russia|Russland|Russie|Rusia|Russian Federation|Russische Föderation|Россия|Rossija
RW RWA Rwanda|Ruanda
SA SAU Saudi Arabia|Saudi-Arabien|Arabie Saoudite|Arabia Saudita|KSA|Kingdom of Saudi
    Arabia|السعودية
SB SLB Solomon Islands|Salomonen|Solomon-Inseln|Îles Salomon|Islas Salomón|Isole Solomon
SC SYC Seychelles|Seychellen
SD SDN Sudan|Sudan|Soudan
SE SWE Sweden|Schweden|Suède|Suecia|Svezia|S|Sverige|Zweden
SG SGP Singapore|Singapur|Singapour|新加坡
SH SHN Saint Helena|St. Helena|Sainte-Hélène|Santa Helena|Sant'Elena|Saint Helena, Ascension and
    Tristan da Cunha
SI SVN Slovenia|Slowenien|Slovénie|Eslovenia|Slovenija|SLO
SJ SJM Svalbard and Jan Mayen|Spitzbergen und Jan Mayen|Svalbard und Jan Mayen|Svalbard et Jan
    Mayen|Svalbard y Jan Mayen|Svalbard e Jan Mayen|Svalbard
SK SVK Slovakia|Slowakei|Slovaquie|Eslovaquia|Slovacchia|Slovak Republic|Slowakische
    Republik|Slovensko
SL SLE Sierra Leone|Sierra Leone|Sierra Leona
SM SMR San Marino|San Marino|Saint-Marin
SN SEN Senegal|Senegal
SO SOM Somalia|Somalia|Somalie
SR SUR Suriname|Suriname|Surinam
SS SSD South Sudan|Südsudan|Sud-Soudan|Sudán del Sur|Sudan del Sud
ST STP São Tomé and Príncipe|São Tomé und Príncipe|Sao Tomé et Principe|Santo Tomé y Príncipe|São
    Tomé e Principe
SV SLV El Salvador|El Salvador
SX SXM Sint Maarten|Sint Maarten|Sint Maarten (Dutch part)|Sint Maarten (Niederländischer
    Teil)|Saint-Martin (partie néerlandaise)|San Martín (región holandesa)|Sint Maarten (parte
    olandese)
SY SYR Syria|Syrien|Syrie|Siria|Syrian Arab Republic
SZ SWZ Eswatini|Eswatini|Swaziland|Swasiland|Suazilandia
TC TCA Turks and Caicos Islands|Turks- und Caicosinseln|Îles Turks et Caicos|Islas Turcas y
    Caicos|Isole Turks e Caicos
TD TCD Chad|Tschad|Tchad|Ciad
TF ATF French Southern Territories|Französische Südgebiete|Territoires Français du Sud|Territorios
    Franceses del Sur|Territori Francesi d'Oltremare
TG TGO Togo|Togo
TH THA Thailand|Thailand|Thaïlande|Tailandia|Thailandia|ประเทศไทย
TJ TJK Tajikistan|Tadschikistan|Tadjikistan|Tayikistán|Tagikistan
TK TKL Tokelau|Tokelau
TL TLS Timor-Leste|Timor-Leste|Timor Oriental|East Timor|Osttimor
TM TKM Turkmenistan|Turkmenistan
TN TUN Tunisia|Tunesien|Tunisie|Túnez|تونس
TO TON Tonga|Tonga
TR TUR Turkey|Türkei|Turquie|Turquía|Turchia|Türkiye|Republic of Türkiye
TT TTO Trinidad and Tobago|Trinidad und Tobago|Trinité-et-Tobago|Trinidad y Tobago|Trinidad e Tobago
TV TUV Tuvalu|Tuvalu
TW TWN Taiwan|Taiwan|Taiwan, Province of China|Republic of China (Taiwan)|台灣|台湾
TZ TZA Tanzania|Tansania|Tanzanie|United Republic of Tanzania|Tanzania, United Republic of
UA UKR Ukraine|Ukraine|Ucrania|Ucraina|Україна
UG UGA Uganda|Uganda|Ouganda
UM UMI US Outlying Islands|Amerikanische Überseeinseln|United States Minor Outlying Islands|Übrige
    Inseln im Pazifik der USA|Dépendances américaines du Pacifique|Islas menores alejadas de los
    Estados Unidos|Isole minori lontane degli Stati Uniti
US USA United States|Vereinigte Staaten|Vereinigte Staaten von Amerika|Etats-Unis|Estados
    Unidos|Stati Uniti|United States of America|America|Amerika|The United
    States|EE.UU.|EUA|États-Unis d'Amérique|Stati Uniti d'America|Verenigde Staten
UY URY Uruguay|Uruguay
UZ UZB Uzbekistan|Usbekistan|Ouzbékistan|Oʻzbekiston
VA VAT Vatican City|Vatikanstadt|Vatican|Ciudad del Vaticano|Città del Vaticano|Holy See|Heiliger
    Stuhl
VC VCT Saint Vincent and the Grenadines|St. Vincent und die Grenadinen|Saint-Vincent-et-les
    Grenadines|San Vicente y las Granadinas|Saint Vincent e Grenadine
VE VEN Venezuela|Venezuela|Bolivarian Republic of Venezuela|Venezuela, Bolivarian Republic of
VG VGB British Virgin Islands|Britische Jungferninseln|Iles Vierges Britanniques|Islas Vírgenes
    Británicas|Isole Vergini (GB)|Virgin Islands, British|BVI
VI VIR U.S. Virgin Islands|Amerikanische Jungferninseln|Iles Vierges Américaines|Islas Vírgenes
    Americanas|Isole Vergini (USA)|Virgin Islands, U.S.
VN VNM Vietnam|Vietnam
VU VUT Vanuatu|Vanuatu
WF WLF Wallis and Futuna|Wallis und Futuna|Wallis-et-Futuna|Wallis y Futuna|Wallis e Futuna
WS WSM Samoa|Samoa
XK XKX Kosovo|Kosovo|Kosovë|Косово
YE YEM Yemen|Jemen
YT MYT Mayotte|Mayotte|Mayotta
ZA ZAF South Africa|Südafrika|Afrique du Sud|Sudáfrica|RSA|Republic of South Africa|Südafrikanische
    Republik
ZM ZMB Zambia|Sambia|Zambie
ZW ZWE Zimbabwe|Simbabwe|Zimbabue
"""
