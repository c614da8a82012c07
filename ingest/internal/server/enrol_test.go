package server

import (
	"bytes"
	"testing"
)

// FuzzEnrol: a request is refused in words or is whole.
func FuzzEnrol(f *testing.F) {
	f.Add([]byte(`{"token":"sdt1.x","csr":"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n","statement_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`))
	f.Add([]byte(`{"csr":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, csr, err := readEnrol(bytes.NewReader(body))
		switch {
		case err != nil && err.Error() == "":
			t.Fatal("refused without a word")
		case err == nil && (len(request.StatementKey) != 32 || csr == nil):
			t.Fatalf("taken though it is not whole: %+v", request)
		}
	})
}
