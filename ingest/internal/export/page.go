package export

import "embed"

// built holds verify.html when make build has made it before this program was
// compiled.
//
//go:embed all:built
var built embed.FS

// Page is the verifier's page; nil in a program that was built without it.
func Page() []byte {
	page, err := built.ReadFile("built/verify.html")
	if err != nil {
		return nil
	}
	return page
}
