"""What is learned from the past. Needs the optional extra ``learn`` (scikit-learn)."""
