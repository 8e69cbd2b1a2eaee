"""Pages that people open in a browser: plain HTML, one style sheet, one script, nothing from other hosts."""
