"""The standard company properties."""

from __future__ import annotations

from connectors.sandbox.hubspot.lifecycle import STAGES
from connectors.sandbox.hubspot.standard_shape import LEAD_STATUS, Standard, stage_dates

INFO, ACTIVITY = "companyinformation", "company_activity"
GROUPS = ((INFO, "Company information"), (ACTIVITY, "Company activity"))
INDUSTRIES = (
    ("APPAREL_FASHION", "Apparel & Fashion"),
    ("AUTOMOTIVE", "Automotive"),
    ("BANKING", "Banking"),
    ("COMPUTER_SOFTWARE", "Computer Software"),
    ("CONSTRUCTION", "Construction"),
    ("CONSUMER_GOODS", "Consumer Goods"),
    ("EDUCATION_MANAGEMENT", "Education Management"),
    ("FINANCIAL_SERVICES", "Financial Services"),
    ("FOOD_BEVERAGES", "Food & Beverages"),
    ("HOSPITAL_HEALTH_CARE", "Hospital & Health Care"),
    ("INFORMATION_TECHNOLOGY_AND_SERVICES", "Information Technology and Services"),
    ("INSURANCE", "Insurance"),
    ("INTERNET", "Internet"),
    ("LOGISTICS_AND_SUPPLY_CHAIN", "Logistics and Supply Chain"),
    ("MACHINERY", "Machinery"),
    ("MARKETING_AND_ADVERTISING", "Marketing and Advertising"),
    ("RETAIL", "Retail"),
    ("WHOLESALE", "Wholesale"),
)
TYPES = tuple((value, value.capitalize()) for value in ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"))
TEXT = ("string", "text", INFO)

PROPERTIES = (
    Standard("name", "Company name", *TEXT),
    Standard("domain", "Company Domain Name", *TEXT),
    Standard("website", "Website URL", *TEXT),
    Standard("phone", "Phone Number", "string", "phonenumber", INFO),
    Standard("address", "Street Address", *TEXT),
    Standard("city", "City", *TEXT),
    Standard("state", "State/Region", *TEXT),
    Standard("zip", "Postal Code", *TEXT),
    Standard("country", "Country/Region", *TEXT),
    Standard("industry", "Industry", "enumeration", "select", INFO, "", INDUSTRIES),
    Standard("type", "Type", "enumeration", "radio", INFO, "", TYPES),
    Standard("annualrevenue", "Annual Revenue", "number", "number", INFO),
    Standard("numberofemployees", "Number of Employees", "number", "number", INFO),
    Standard("description", "Description", "string", "textarea", INFO),
    Standard("linkedin_company_page", "LinkedIn Company Page", *TEXT),
    Standard("lifecyclestage", "Lifecycle Stage", "enumeration", "radio", INFO, "", STAGES),
    Standard("hs_lead_status", "Lead Status", "enumeration", "radio", INFO, "", LEAD_STATUS),
    Standard("hubspot_owner_id", "Company owner", "enumeration", "select", INFO, "x"),
    Standard("hs_pipeline", "Pipeline", "enumeration", "select", INFO, "xh"),
    Standard("hs_object_id", "Record ID", "number", "number", INFO, "r"),
    Standard("hs_object_source", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_id", "Record source ID", "string", "text", INFO, "rh"),
    Standard("hs_object_source_label", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_user_id", "Record source user ID", "number", "number", INFO, "rh"),
    Standard("createdate", "Create Date", "datetime", "date", INFO, "r"),
    Standard("hs_lastmodifieddate", "Last Modified Date", "datetime", "date", INFO, "r"),
    Standard("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox", INFO, "rxh"),
    *stage_dates(INFO),
)
