"""Reports: what became of leads, what they cost, and how far the goals are, as numbers and as one document."""
