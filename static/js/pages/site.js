import "../lib/site.js";
