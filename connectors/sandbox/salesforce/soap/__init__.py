"""The SOAP API as far as integrations still need it: login, convertLead, merge, and who is logged in."""
