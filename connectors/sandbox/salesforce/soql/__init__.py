"""SOQL: from text to a tree, from a tree to SQL for the record file, from rows to the JSON of an answer."""
