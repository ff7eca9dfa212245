package testenv

import "net/http"

// Client is for tests' own requests. http.DefaultClient loses connections, and
// requests on them, whenever a test beside closes its httptest.Server.
var Client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
