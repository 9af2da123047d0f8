"""What HubSpot tells of changes by itself: signed webhooks and the Webhooks Journal (reference, section 10)."""
