"""Pages that stand for themselves, such as reports, shown by the page's server without a way back into it."""

# Their styles, scripts and pictures are part of the one file. A sandbox has an origin of its own: its requests are refused.
SANDBOX = {
    "content-security-policy": (
        "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}
