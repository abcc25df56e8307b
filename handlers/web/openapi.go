package web

import _ "embed"

// openAPI describes all routes. Change it together with them: a test compares the two.
//
//go:embed openapi.json
var openAPI []byte
