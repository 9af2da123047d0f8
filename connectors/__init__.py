"""How to talk to a CRM, in the CRM's own words. Nothing in here has ever heard of a lead."""
