package dashboard

import "net/http"

// Routes is what a dashboard answers, by pattern.
func Routes(c Config) *http.ServeMux { return (&Dashboard{Config: c}).routes() }
