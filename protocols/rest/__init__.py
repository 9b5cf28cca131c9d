"""The Handle JSON API: values <-> JSON, outcomes <-> HTTP status."""
