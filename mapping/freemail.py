"""Domains that say nothing about a company: free-mail providers; and addresses that belong to a role."""

from __future__ import annotations

_FREE_MAIL = """
gmail.com googlemail.com outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.at hotmail.com
hotmail.de hotmail.fr hotmail.it hotmail.es hotmail.co.uk hotmail.ch hotmail.be hotmail.nl live.com live.de
live.fr live.it live.nl live.at live.be live.co.uk live.se live.dk msn.com windowslive.com passport.com
yahoo.com yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.co.uk yahoo.at yahoo.ca yahoo.co.in yahoo.co.jp yahoo.com.br
yahoo.com.au yahoo.com.mx yahoo.com.ar yahoo.se yahoo.dk yahoo.pl yahoo.ie yahoo.gr ymail.com rocketmail.com
aol.com aol.de aol.fr aol.co.uk aim.com verizon.net icloud.com me.com mac.com
gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.org gmx.eu gmx.info gmx.fr gmx.es gmx.co.uk gmx.biz gmx.us web.de
email.de mail.de posteo.de posteo.net posteo.at posteo.ch posteo.eu mailbox.org freenet.de freenetmail.de t-online.de
magenta.de arcor.de 1und1.de online.de onlinehome.de vodafone.de vodafonemail.de kabelmail.de unitybox.de
alice.de alice-dsl.de alice-dsl.net o2online.de o2mail.de netcologne.de ewetel.net ewe.net osnanet.de versanet.de
tutanota.com tutanota.de tutamail.com tuta.io tuta.com keemail.me proton.me protonmail.com protonmail.ch pm.me
bluewin.ch bluemail.ch hispeed.ch sunrise.ch swissonline.ch gmx.li adon.li aon.at a1.net chello.at inode.at
liwest.at kabsi.at utanet.at drei.at tele2.at orange.fr wanadoo.fr free.fr sfr.fr laposte.net neuf.fr
bbox.fr numericable.fr club-internet.fr voila.fr aliceadsl.fr libero.it virgilio.it alice.it tin.it tim.it
tiscali.it fastwebnet.it inwind.it iol.it email.it pec.it poste.it aruba.it telefonica.net terra.es ono.com
wanadoo.es movistar.es sapo.pt mail.telepac.pt clix.pt netcabo.pt iol.pt ziggo.nl kpnmail.nl kpnplanet.nl
planet.nl home.nl hetnet.nl xs4all.nl upcmail.nl chello.nl telenet.be skynet.be proximus.be voo.be scarlet.be
btinternet.com sky.com virginmedia.com ntlworld.com talktalk.net blueyonder.co.uk tiscali.co.uk btopenworld.com
eircom.net telia.com comhem.se bredband.net spray.se tele2.se online.no broadpark.no mail.dk jubii.dk stofanet.dk
post.tele.dk luukku.com suomi24.fi kolumbus.fi elisanet.fi pp.inet.fi wp.pl o2.pl onet.pl op.pl onet.eu interia.pl
poczta.onet.pl poczta.fm tlen.pl gazeta.pl seznam.cz email.cz centrum.cz atlas.cz volny.cz post.cz azet.sk
zoznam.sk centrum.sk freemail.hu citromail.hu t-online.hu indamail.hu abv.bg mail.bg otenet.gr net.hr inet.hr
siol.net amis.net mail.ru inbox.ru list.ru bk.ru internet.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net i.ua
meta.ua inbox.lv inbox.lt mail.ee one.lt qq.com 163.com 126.com sina.com sina.cn sohu.com foxmail.com yeah.net
aliyun.com 139.com naver.com daum.net hanmail.net nate.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp rediffmail.com
uol.com.br bol.com.br terra.com.br ig.com.br globo.com comcast.net att.net sbcglobal.net bellsouth.net
cox.net charter.net earthlink.net juno.com netzero.net optonline.net shaw.ca rogers.com sympatico.ca telus.net
videotron.ca bigpond.com bigpond.net.au optusnet.com.au xtra.co.nz mail.com email.com usa.com post.com fastmail.com
fastmail.fm hushmail.com zoho.com zohomail.com zohomail.eu inbox.com mailinator.com guerrillamail.com yopmail.com
trashmail.com 10minutemail.com hey.com duck.com walla.co.il walla.com netvision.net.il mynet.com superonline.com
"""

_ROLES = """
info infos information contact contacts contactus contacto contatto kontakt mail email e-mail post office buero
büro zentrale empfang reception sekretariat secretariat sales vertrieb verkauf ventas vendite ventes commercial
marketing werbung presse press media pr support service services help helpdesk hilfe hello hallo hi team
admin administrator administration verwaltung webmaster postmaster hostmaster root abuse noreply no-reply
do-not-reply donotreply newsletter billing invoice invoices rechnung rechnungen buchhaltung accounting accounts
finance finanzen einkauf purchasing procurement orders order bestellung bestellungen shop store jobs job career
careers karriere bewerbung hr personal recruiting legal recht datenschutz privacy gdpr dsgvo security compliance
it edv tech technik booking bookings reservations anfrage anfragen enquiries inquiries customerservice
kundenservice kundendienst welcome geschaeftsleitung management direktion ventas atencion accueil bonjour
"""

#: Registrable domains of mailbox providers for anyone: sharing one says nothing about a company.
FREE_MAIL_DOMAINS = frozenset(_FREE_MAIL.split())

#: Local parts of addresses that belong to a role and not to a person.
ROLE_NAMES = frozenset(_ROLES.split())
