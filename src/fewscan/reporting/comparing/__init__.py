"""What a comparison came to, as tables, figures and pages."""
