package audit

import "testing"

func FuzzParseNote(f *testing.F) {
	f.Add(string(noted{origin: "example.org", size: 5}.text()))
	f.Add("sealdock/signed-size/v2\nexample.org\n-1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseNote(text); err == nil && string(n.text()) != text {
			t.Errorf("%q was read as %q", text, n.text())
		}
	})
}
