"""The gate before the paper venue, at full length: one site with all its processes, two accounts at the venue and four
hundred busy markets. Each scene is a module, and gives its figures with whether they are `ok`."""
