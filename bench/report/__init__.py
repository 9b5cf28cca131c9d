"""Results of the bench: one document for every command, and the page that shows it."""
