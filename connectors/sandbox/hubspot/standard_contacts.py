"""The standard contact properties: those the reference names, and the usual ones beside them."""

from __future__ import annotations

from connectors.sandbox.hubspot.lifecycle import STAGES
from connectors.sandbox.hubspot.standard_shape import LEAD_STATUS, TRAFFIC, YES_NO, Standard, stage_dates

INFO, MAIL, WEB = "contactinformation", "emailinformation", "analyticsinformation"
FORMS, SOCIAL, SALES = "conversioninformation", "socialmediainformation", "sales_properties"
ACTIVITY, LEGAL = "contact_activity", "contactscripted"

GROUPS = (
    (INFO, "Contact information"),
    (MAIL, "Email information"),
    (WEB, "Web analytics history"),
    (FORMS, "Conversion information"),
    (SOCIAL, "Social media information"),
    (SALES, "Sales properties"),
    (ACTIVITY, "Contact activity"),
    (LEGAL, "Contact scripted"),
)
LANGUAGES = (
    ("de", "German"),
    ("de-at", "German - Austria"),
    ("de-ch", "German - Switzerland"),
    ("de-de", "German - Germany"),
    ("en", "English"),
    ("en-gb", "English - United Kingdom"),
    ("en-us", "English - United States"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("fr-ch", "French - Switzerland"),
    ("it", "Italian"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("tr", "Turkish"),
)
SIZES = tuple((v, v) for v in ("1-5", "5-25", "25-50", "50-100", "100-500", "500-1000", "1000+"))
LEGAL_BASES = (
    ("Legitimate interest – prospect/lead", "Legitimate interest – prospect/lead"),
    ("Legitimate interest – existing customer", "Legitimate interest – existing customer"),
    ("Legitimate interest - other", "Legitimate interest - other"),
    ("Performance of a contract", "Performance of a contract"),
    ("Freely given consent from contact", "Freely given consent from contact"),
    ("Not applicable", "Not applicable"),
)
TEXT = ("string", "text", INFO)
COUNT = ("number", "number")
WHEN = ("datetime", "date")

PEOPLE = (
    Standard("email", "Email", *TEXT),
    Standard("firstname", "First Name", *TEXT),
    Standard("lastname", "Last Name", *TEXT),
    Standard("salutation", "Salutation", *TEXT),
    Standard("jobtitle", "Job Title", *TEXT),
    Standard("company", "Company Name", *TEXT),
    Standard("website", "Website URL", *TEXT),
    Standard("phone", "Phone Number", "string", "phonenumber", INFO),
    Standard("mobilephone", "Mobile Phone Number", "string", "phonenumber", INFO),
    Standard("fax", "Fax Number", *TEXT),
    Standard("address", "Street Address", *TEXT),
    Standard("city", "City", *TEXT),
    Standard("state", "State/Region", *TEXT),
    Standard("zip", "Postal Code", *TEXT),
    Standard("country", "Country/Region", *TEXT),
    Standard("industry", "Industry", *TEXT),
    Standard("annualrevenue", "Annual Revenue", *TEXT),
    Standard("numemployees", "Number of Employees", "enumeration", "select", INFO, "", SIZES),
    # A contact has only the bands above; this account has the plain number as a property of its own.
    Standard("numberofemployees", "Employees (number)", "number", "number", INFO, "c"),
    Standard("date_of_birth", "Date of Birth", *TEXT),
    Standard("closedate", "Close Date", *WHEN, INFO),
    Standard("message", "Message", "string", "textarea", INFO),
    Standard("twitterhandle", "Twitter Username", "string", "text", SOCIAL),
    Standard("hs_linkedin_url", "LinkedIn URL", "string", "text", SOCIAL),
    Standard("hs_language", "Preferred language", "enumeration", "select", INFO, "", LANGUAGES),
    Standard("hs_persona", "Persona", "enumeration", "radio", INFO),
    Standard("hs_additional_emails", "Additional email addresses", "enumeration", "checkbox", INFO, "xh"),
    Standard("hs_email_domain", "Email Domain", "string", "text", INFO, "r"),
    Standard("associatedcompanyid", "Primary Associated Company ID", "number", "number", INFO, "xh"),
)
STANDING = (
    Standard("lifecyclestage", "Lifecycle Stage", "enumeration", "radio", INFO, "", STAGES),
    Standard("hs_lead_status", "Lead Status", "enumeration", "radio", SALES, "", LEAD_STATUS),
    Standard("hubspot_owner_id", "Contact owner", "enumeration", "select", SALES, "x"),
    Standard("hubspot_owner_assigneddate", "Owner assigned date", *WHEN, SALES, "r"),
    Standard("hubspotscore", "HubSpot Score", "number", "calculation_score", SALES, "r"),
    Standard(
        "hs_predictivecontactscorebucket",
        "Lead Rating",
        "enumeration",
        "radio",
        ACTIVITY,
        "r",
        tuple((f"bucket_{n}", f"{n} Star{'s' if n > 1 else ''}") for n in range(1, 5)),
    ),
    Standard("hs_predictivecontactscore_v2", "Likelihood to close", *COUNT, SALES, "r"),
    Standard("hs_pipeline", "Pipeline", "enumeration", "select", INFO, "xh"),
    Standard("hs_is_unworked", "Contact unworked", "bool", "booleancheckbox", SALES, "r", YES_NO),
    Standard("hs_is_contact", "Is a contact", "bool", "booleancheckbox", INFO, "rh", YES_NO),
    Standard("hs_object_id", "Record ID", "number", "number", INFO, "r"),
    Standard("hs_object_source", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_id", "Record source ID", "string", "text", INFO, "rh"),
    Standard("hs_object_source_label", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_user_id", "Record source user ID", *COUNT, INFO, "rh"),
    Standard("createdate", "Create Date", *WHEN, INFO, "r"),
    Standard("lastmodifieddate", "Last Modified Date", *WHEN, INFO, "r"),
    Standard("hs_all_contact_vids", "All vids for a contact", "enumeration", "checkbox", INFO, "rxh"),
    Standard("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox", INFO, "rxh"),
    Standard("hs_calculated_merged_vids", "Merged vids with timestamps", "string", "text", INFO, "rh"),
    Standard("hs_calculated_phone_number", "Calculated phone", "string", "text", INFO, "rh"),
    Standard("hs_calculated_mobile_number", "Calculated mobile", "string", "text", INFO, "rh"),
    Standard("hs_searchable_calculated_phone_number", "Searchable phone", "string", "text", INFO, "rh"),
    Standard("hs_searchable_calculated_mobile_number", "Searchable mobile", "string", "text", INFO, "rh"),
)
CONSENT = (
    Standard("hs_email_optout", "Unsubscribed from all email", "bool", "booleancheckbox", MAIL, "r", YES_NO),
    Standard(
        "hs_email_optout_146200001",
        "Opted out of email: Marketing Information",
        "bool",
        "booleancheckbox",
        MAIL,
        "r",
        YES_NO,
    ),
    Standard(
        "hs_email_optout_146200002",
        "Opted out of email: Customer Service Communication",
        "bool",
        "booleancheckbox",
        MAIL,
        "r",
        YES_NO,
    ),
    Standard(
        "hs_email_quarantined", "Email address quarantined", "bool", "booleancheckbox", MAIL, "r", YES_NO
    ),
    Standard(
        "hs_legal_basis", "Legal basis for processing", "enumeration", "checkbox", INFO, "r", LEGAL_BASES
    ),
    Standard(
        "hs_marketable_status",
        "Marketing contact status",
        "enumeration",
        "booleancheckbox",
        INFO,
        "r",
        (("true", "Marketing contact"), ("false", "Non-marketing contact")),
    ),
    Standard(
        "hs_marketable_until_renewal",
        "Marketing contact until next update",
        "enumeration",
        "booleancheckbox",
        INFO,
        "r",
        YES_NO,
    ),
)
ENGAGEMENT = (
    Standard("num_conversion_events", "Number of Form Submissions", *COUNT, FORMS, "r"),
    Standard("num_unique_conversion_events", "Number of Unique Forms Submitted", *COUNT, FORMS, "r"),
    Standard("recent_conversion_date", "Recent Conversion Date", *WHEN, FORMS, "r"),
    Standard("recent_conversion_event_name", "Recent Conversion", "string", "text", FORMS, "r"),
    Standard("first_conversion_date", "First Conversion Date", *WHEN, FORMS, "r"),
    Standard("first_conversion_event_name", "First Conversion", "string", "text", FORMS, "r"),
    Standard("hs_analytics_num_visits", "Number of Sessions", *COUNT, WEB, "r"),
    Standard("hs_analytics_num_page_views", "Number of Pageviews", *COUNT, WEB, "r"),
    Standard("hs_analytics_average_page_views", "Average Pageviews", *COUNT, WEB, "r"),
    Standard("hs_analytics_first_timestamp", "Time First Seen", *WHEN, WEB, "r"),
    Standard("hs_analytics_last_visit_timestamp", "Time of Last Session", *WHEN, WEB, "r"),
    Standard("hs_analytics_num_event_completions", "Number of event completions", *COUNT, WEB, "r"),
    Standard("hs_analytics_source", "Original Traffic Source", "enumeration", "select", WEB, "ro", TRAFFIC),
    Standard("hs_analytics_source_data_1", "Original Source Drill-Down 1", "string", "text", WEB, "r"),
    Standard("hs_analytics_source_data_2", "Original Source Drill-Down 2", "string", "text", WEB, "r"),
    Standard("hs_latest_source", "Latest Traffic Source", "enumeration", "select", WEB, "ro", TRAFFIC),
    Standard("hs_latest_source_data_1", "Latest Source Drill-Down 1", "string", "text", WEB, "r"),
    Standard("hs_latest_source_data_2", "Latest Source Drill-Down 2", "string", "text", WEB, "r"),
    Standard("hs_email_open", "Marketing emails opened", *COUNT, MAIL, "r"),
    Standard("hs_email_click", "Marketing emails clicked", *COUNT, MAIL, "r"),
    Standard("hs_email_last_open_date", "Last marketing email open date", *WHEN, MAIL, "r"),
    Standard("hs_email_last_click_date", "Last marketing email click date", *WHEN, MAIL, "r"),
    Standard("hs_email_bounce", "Marketing emails bounced", *COUNT, MAIL, "r"),
    Standard("hs_social_linkedin_clicks", "LinkedIn Clicks", *COUNT, SOCIAL, "r"),
    Standard("hs_social_twitter_clicks", "Twitter Clicks", *COUNT, SOCIAL, "r"),
    Standard("hs_social_facebook_clicks", "Facebook Clicks", *COUNT, SOCIAL, "r"),
    Standard("hs_social_num_broadcast_clicks", "Broadcast Clicks", *COUNT, SOCIAL, "r"),
    Standard("notes_last_contacted", "Last Contacted", *WHEN, SALES, "r"),
    Standard("num_contacted_notes", "Number of times contacted", *COUNT, SALES, "r"),
    Standard("num_notes", "Number of Sales Activities", *COUNT, SALES, "r"),
    Standard("hs_notes_last_activity", "Last Activity", "object_coordinates", "text", INFO, "rh"),
)
PROPERTIES = (*PEOPLE, *STANDING, *CONSENT, *ENGAGEMENT, *stage_dates(INFO))

ZERO = frozenset(
    {
        "num_conversion_events",
        "num_unique_conversion_events",
        "hs_analytics_num_visits",
        "hs_analytics_num_page_views",
        "hs_analytics_average_page_views",
        "hs_analytics_num_event_completions",
        "hs_social_linkedin_clicks",
        "hs_social_twitter_clicks",
        "hs_social_facebook_clicks",
        "hs_social_num_broadcast_clicks",
    }
)
"""Counters that every contact has from its first moment, at 0 (recorded profiles)."""
