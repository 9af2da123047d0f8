"""Mails: the sender, who still waits for one, and what stands in them."""
