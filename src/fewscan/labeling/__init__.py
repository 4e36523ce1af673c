"""From a run to labels for new scans."""
