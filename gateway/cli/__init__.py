"""`kuva`: one command for everything, one file for each family of commands."""
