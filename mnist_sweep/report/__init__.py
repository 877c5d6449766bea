"""What a study found, for people: tables and a text, read from the study and its runs."""
