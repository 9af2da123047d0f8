"""The common lead: its fields and their types, its stages and its temperatures.

Every CRM's words are mapped onto these names, never the reverse. A frame of leads has one row a lead and
one column per field of ``LEAD_FIELDS`` (plus the custom fields a config declares), typed by ``dtype_of``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import polars as pl


class FieldType(Enum):
    """What a lead field holds, and so how it is cleaned, compared and stored in a column."""

    TEXT = "text"  #: trimmed, white space folded; compared exactly
    EMAIL = "email"  #: lower case, syntactically valid
    PHONE = "phone"  #: E.164
    COUNTRY = "country"  #: ISO 3166-1 alpha-2
    CHOICE = "choice"  #: a word of a closed vocabulary (``[values.NAME]``)
    URL = "url"  #: with a scheme, host in lower case
    MONEY = "money"  #: decimal, two places; its currency stands in ``<name>_currency``
    INTEGER = "integer"
    NUMBER = "number"  #: decimal, four places
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"  #: UTC, microseconds


_DTYPES: Mapping[FieldType, pl.DataType] = {
    FieldType.TEXT: pl.String(),
    FieldType.EMAIL: pl.String(),
    FieldType.PHONE: pl.String(),
    FieldType.COUNTRY: pl.String(),
    FieldType.CHOICE: pl.String(),
    FieldType.URL: pl.String(),
    FieldType.MONEY: pl.Decimal(18, 2),
    FieldType.INTEGER: pl.Int64(),
    FieldType.NUMBER: pl.Decimal(18, 4),
    FieldType.BOOLEAN: pl.Boolean(),
    FieldType.DATE: pl.Date(),
    FieldType.DATETIME: pl.Datetime("us", "UTC"),
}


def dtype_of(kind: FieldType) -> pl.DataType:
    """The Polars type of a column that holds this kind of field."""
    return _DTYPES[kind]


class Stage(Enum):
    """Where a lead stands. Each CRM's own words map onto these, never the reverse."""

    VISITOR = "visitor"  #: Interest without contact data: not yet a lead.
    PROSPECT = "prospect"  #: Contact data without expressed interest (researched, bought): not yet a lead.
    LEAD = "lead"  #: Expressed interest and left contact data; nobody has judged it further.
    NURTURE = "nurture"  #: Wavering: back with marketing, on a track.
    MQL = "mql"  #: Passed the shared policy; sales may call.
    SQL = "sql"  #: Sales accepted: decision maker, budget, need and a date are known.
    OPPORTUNITY = "opportunity"  #: Close to a contract.
    CUSTOMER = "customer"  #: Bought.
    FORMER_CUSTOMER = "former_customer"  #: Bought once; to be won back.
    DISQUALIFIED = "disqualified"  #: Rejected, always with a reason.


#: How far along each stage is. Only a higher rank is "forward"; nurture stands where lead does.
STAGE_RANK: Mapping[Stage, int] = {
    Stage.VISITOR: 0,
    Stage.PROSPECT: 0,
    Stage.DISQUALIFIED: 1,
    Stage.LEAD: 1,
    Stage.NURTURE: 1,
    Stage.MQL: 2,
    Stage.SQL: 3,
    Stage.OPPORTUNITY: 4,
    Stage.CUSTOMER: 5,
    Stage.FORMER_CUSTOMER: 5,
}


class Temperature(Enum):
    """How warm a lead is under the shared policy; the labels people see come from the config."""

    COLD = "cold"
    WAVERING = "wavering"
    HOT = "hot"


@dataclass(frozen=True, slots=True)
class LeadField:
    """One field of the common lead.

    ``behaviour`` fields are what the CRM itself observed (visits, forms, mails): always read, never
    written. ``opt_out`` fields are withdrawals: true in either CRM wins and is never undone.
    """

    name: str
    type: FieldType
    meaning: str
    behaviour: bool = False
    opt_out: bool = False
    custom: bool = False


def _fields(*fields: LeadField) -> dict[str, LeadField]:
    return {field.name: field for field in fields}


_T = FieldType

#: Every field the common lead has. Custom fields are declared in the config and join these.
LEAD_FIELDS: Mapping[str, LeadField] = _fields(
    # Who it is
    LeadField("email", _T.EMAIL, "Main e-mail address"),
    LeadField("salutation", _T.TEXT, "Mr., Frau, Dr. …"),
    LeadField("first_name", _T.TEXT, "Given name"),
    LeadField("last_name", _T.TEXT, "Family name"),
    LeadField("job_title", _T.TEXT, "Position in the company, in the person's own words"),
    LeadField("phone", _T.PHONE, "Landline or main number"),
    LeadField("mobile_phone", _T.PHONE, "Mobile number"),
    LeadField("language", _T.TEXT, "Preferred language, as an ISO 639-1 code"),
    # The company
    LeadField("company", _T.TEXT, "Company name"),
    LeadField("website", _T.URL, "Company web site"),
    LeadField("industry", _T.CHOICE, "Line of business, in the words of [values.industry]"),
    LeadField("annual_revenue", _T.MONEY, "Turnover a year"),
    LeadField("employees", _T.INTEGER, "Number of employees"),
    LeadField("street", _T.TEXT, "Street and number"),
    LeadField("postal_code", _T.TEXT, "Postal code"),
    LeadField("city", _T.TEXT, "City"),
    LeadField("state", _T.TEXT, "State, province or canton"),
    LeadField("country", _T.COUNTRY, "Country"),
    # Where the interest came from
    LeadField("lead_source", _T.TEXT, "Channel that brought the lead, as the CRM names it"),
    LeadField("source_detail", _T.TEXT, "Campaign, fair, form or keyword behind the channel"),
    LeadField("description", _T.TEXT, "Notes about the lead"),
    # What sales found out
    LeadField("need", _T.TEXT, "What the lead needs"),
    LeadField("has_need", _T.BOOLEAN, "Sales confirmed a need"),
    LeadField("has_budget", _T.BOOLEAN, "Sales confirmed a budget"),
    LeadField("is_decision_maker", _T.BOOLEAN, "The contact decides, or takes part in deciding"),
    LeadField("purchase_date", _T.DATE, "When the lead wants to buy"),
    LeadField("order_volume", _T.MONEY, "Expected order volume"),
    LeadField("previous_orders", _T.INTEGER, "Orders placed with us before"),
    LeadField("previous_activity", _T.TEXT, "What the lead has tried before"),
    LeadField("sales_accepted", _T.BOOLEAN, "Sales accepted (true) or rejected (false) the handed-over lead"),
    LeadField("rejection_reason", _T.TEXT, "Why sales rejected it"),
    # Withdrawals
    LeadField("email_opt_out", _T.BOOLEAN, "Wants no e-mail", opt_out=True),
    LeadField("call_opt_out", _T.BOOLEAN, "Wants no calls", opt_out=True),
    LeadField("post_opt_out", _T.BOOLEAN, "Wants no post", opt_out=True),
    # What the lead did, as the CRM counted it
    LeadField("forms", _T.INTEGER, "Forms filled in", behaviour=True),
    LeadField("last_form_at", _T.DATETIME, "Latest form", behaviour=True),
    LeadField("last_form_name", _T.TEXT, "Name of the latest form", behaviour=True),
    LeadField("first_form_at", _T.DATETIME, "First form", behaviour=True),
    LeadField("last_contact_request", _T.DATETIME, "Asked to be contacted", behaviour=True),
    LeadField("visits", _T.INTEGER, "Visits to the web site", behaviour=True),
    LeadField("page_views", _T.INTEGER, "Pages seen", behaviour=True),
    LeadField("last_visit_at", _T.DATETIME, "Latest visit", behaviour=True),
    LeadField("mails_opened", _T.INTEGER, "Marketing mails opened", behaviour=True),
    LeadField("mails_clicked", _T.INTEGER, "Marketing mails clicked", behaviour=True),
    LeadField("last_mail_open_at", _T.DATETIME, "Latest mail opened", behaviour=True),
    LeadField("last_mail_click_at", _T.DATETIME, "Latest mail clicked", behaviour=True),
    LeadField("mails_bounced", _T.INTEGER, "Mails that bounced", behaviour=True),
    LeadField("social_clicks", _T.INTEGER, "Clicks on our social posts", behaviour=True),
    LeadField("linkedin_clicks", _T.INTEGER, "Clicks on our posts at LinkedIn", behaviour=True),
    LeadField("facebook_clicks", _T.INTEGER, "Clicks on our posts at Facebook", behaviour=True),
    LeadField("twitter_clicks", _T.INTEGER, "Clicks on our posts at Twitter", behaviour=True),
    LeadField("sales_contacts", _T.INTEGER, "Times that sales contacted the lead", behaviour=True),
    LeadField("last_contacted_at", _T.DATETIME, "Latest contact by sales", behaviour=True),
    LeadField("last_activity_at", _T.DATETIME, "Latest note, call, meeting or task", behaviour=True),
    # How it ended: from Salesforce's opportunities, or from fields of a CRM that count them
    LeadField("deals_open", _T.INTEGER, "Opportunities that are open", behaviour=True),
    LeadField("deals_won", _T.INTEGER, "Opportunities that were won", behaviour=True),
    LeadField("deals_lost", _T.INTEGER, "Opportunities that were lost", behaviour=True),
    LeadField("last_deal_won_on", _T.DATE, "Day of the latest opportunity that was won", behaviour=True),
    LeadField("last_deal_lost_on", _T.DATE, "Day of the latest opportunity that was lost", behaviour=True),
    LeadField("last_loss_reason", _T.TEXT, "Why the latest opportunity was lost", behaviour=True),
    LeadField(
        "deals_by", _T.TEXT, "What joins them to the lead: contact role, account, both", behaviour=True
    ),
    LeadField(
        "deal", _T.TEXT, "The opportunity that says most: an open one, else the latest", behaviour=True
    ),
    # How often within a week, from the single events behind HubSpot's counters
    LeadField("visits_in_week", _T.INTEGER, "Visits in the seven days up to the latest one", behaviour=True),
    LeadField("page_views_in_week", _T.INTEGER, "Pages seen in such seven days", behaviour=True),
    LeadField("mail_clicks_in_week", _T.INTEGER, "Mail clicks in such seven days", behaviour=True),
    LeadField("forms_in_week", _T.INTEGER, "Forms in such seven days", behaviour=True),
    LeadField("social_clicks_in_week", _T.INTEGER, "Clicks on posts in such seven days", behaviour=True),
    # What the people of its company did, by HubSpot's associations
    LeadField("company_people", _T.INTEGER, "People of the company whom we know", behaviour=True),
    LeadField("company_visits", _T.INTEGER, "Visits of everybody of the company", behaviour=True),
    LeadField("company_forms", _T.INTEGER, "Forms of everybody of the company", behaviour=True),
    LeadField("company_last_sign_at", _T.DATETIME, "Latest visit or form of anybody there", behaviour=True),
    # Where the CRMs say it stands, in our words (Stage values)
    LeadField("hubspot_stage", _T.CHOICE, "HubSpot's lifecycle stage", behaviour=True),
    LeadField("salesforce_stage", _T.CHOICE, "Salesforce's lead status", behaviour=True),
)

#: Derived on every lead before the policy sees it; a condition may use them, the map may not.
DERIVED_FIELDS: Mapping[str, LeadField] = _fields(
    LeadField("email_domain", _T.TEXT, "What follows the @ of the e-mail address"),
    LeadField("is_free_mail", _T.BOOLEAN, "The address is with a free-mail provider"),
    LeadField("has_contact_data", _T.BOOLEAN, "There is an e-mail address, a phone number or a full address"),
    LeadField("may_email", _T.BOOLEAN, "There is an address and no CRM says that mail is unwanted"),
    LeadField("may_call", _T.BOOLEAN, "There is a number and no CRM says that calls are unwanted"),
    LeadField("may_post", _T.BOOLEAN, "There is a full address and no CRM says that post is unwanted"),
    LeadField("is_company_only", _T.BOOLEAN, "A company is known, and no person of it: a company lead"),
    LeadField("in_hubspot", _T.BOOLEAN, "HubSpot has a record of it"),
    LeadField("in_salesforce", _T.BOOLEAN, "Salesforce has a record of it"),
)


def currency_column(name: str) -> str:
    """The column that holds the ISO 4217 code of a money field."""
    return f"{name}_currency"


def columns_of(fields: Mapping[str, LeadField]) -> dict[str, pl.DataType]:
    """The columns of a frame with these fields: a money field brings its currency along."""
    columns: dict[str, pl.DataType] = {}
    for field in fields.values():
        columns[field.name] = dtype_of(field.type)
        if field.type is FieldType.MONEY:
            columns[currency_column(field.name)] = pl.String()
    return columns
