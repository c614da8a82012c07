package transit

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const token = "s.a-token-that-is-told-nobody"

// saying starts a service that gives one answer to all.
func saying(t testing.TB, handler http.HandlerFunc) Service {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return Service{URL: server.URL, Mount: "transit", Authority: path}
}

func always(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

var (
	secret  = base64.StdEncoding.EncodeToString(plain)
	long    = base64.StdEncoding.EncodeToString(make([]byte, nonceSize+len(plain)+tagSize))
	wrapped = "vault:v1:" + long
)

func TestAHostileAnswerIsAnErrorThatTellsNoSecret(t *testing.T) {
	var asked int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(elsewhere.Close)
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"a page":               {always(200, "<html>welcome"), "is that its address"},
		"a page of an error":   {always(502, "<html>bad gateway"), "502"},
		"nothing":              {always(200, ""), "is that its address"},
		"no content":           {always(204, ""), "without a plaintext|no ciphertext|how long"},
		"an empty object":      {always(200, "{}"), "without a plaintext|no ciphertext|how long"},
		"no object":            {always(200, `[1]`), "is that its address"},
		"numbers":              {always(200, `{"data":{"plaintext":7,"ciphertext":7},"auth":7}`), "is that its address"},
		"no Base64":            {always(200, `{"data":{"plaintext":"!","ciphertext":"vault:v1:!"}}`), "is that its address|no ciphertext|how long"},
		"too much":             {always(200, `{"x":"`+strings.Repeat("a", maxAnswer)+`"}`), "more than 65536"},
		"too much of an error": {always(503, strings.Repeat("a", maxAnswer+1)), "more than 65536"},
		"deep":                 {always(200, strings.Repeat("[", maxAnswer)), "is that its address"},
		"too many headers":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("a", 2*maxAnswer)) }, "cannot be reached"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			fmt.Fprint(w, "{")
		}, "broke off"},
		"hung up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
		"sent on": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "sends on"},
		"sent on, here": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v1/x", http.StatusPermanentRedirect)
		}, "sends on"},
		"its token":                 {always(400, `{"errors":["you said `+token+`"]}`), "answered 400"},
		"its token, in 403":         {always(403, `{"errors":["you said `+token+`"]}`), "permission denied"},
		"words without end":         {always(500, `{"errors":["`+strings.Repeat("b", 1000)+`"]}`), "answered 500"},
		"words of several lines":    {always(500, `{"errors":["a\nb\u001b[2J"]}`), `a b\x1b`},
		"standby":                   {always(429, `{"errors":[]}`), "answered 429"},
		"accepted, for another day": {always(202, `{"data":{}}`), "answered 202"},
	} {
		s := saying(t, c.answer)
		_, wrapping := s.Wrap("root", []byte(token), plain, bound)
		got, opening := s.Unwrap("root", []byte(token), []byte(wrapped), bound)
		if len(got) > 0 {
			t.Errorf("%s: opened to %q", what, got)
		}
		_, renewing := s.Renew([]byte(token))
		for _, err := range []error{wrapping, opening, renewing} {
			if err == nil || !slices.ContainsFunc(strings.Split(c.words, "|"), func(words string) bool { return strings.Contains(err.Error(), words) }) {
				t.Errorf("%s: %v, want words like %q", what, err, c.words)
			} else if text := err.Error(); len(text) > 700 || strings.ContainsAny(text, "\x1b\n") && !strings.Contains(text, "no ciphertext") || strings.Contains(text, token) {
				t.Errorf("%s: too much is told: %q", what, text)
			}
		}
	}
	if asked > 0 {
		t.Errorf("another host was asked %d times", asked)
	}
}

func TestWhatIsNoCiphertextIsNotKept(t *testing.T) {
	for what, text := range map[string]string{
		"the root key itself":    "vault:v1:" + secret,
		"the root key, longer":   "vault:v1:" + base64.StdEncoding.EncodeToString(append(make([]byte, 64), plain...)),
		"too short":              "vault:v1:" + base64.StdEncoding.EncodeToString(make([]byte, nonceSize+len(plain)+tagSize-1)),
		"another prefix":         "trust:v1:" + long,
		"version 0":              "vault:v0:" + long,
		"no version":             "vault:" + long,
		"a line more":            wrapped + `\n`,
		"a version without end":  "vault:v" + strings.Repeat("1", 30) + ":" + long,
		"more than is ever kept": "vault:v1:" + strings.Repeat("AAAA", maxCiphertext),
	} {
		s := saying(t, always(200, `{"data":{"ciphertext":"`+text+`"}}`))
		if got, err := s.Wrap("root", []byte(token), plain, bound); err == nil || !strings.Contains(err.Error(), "no ciphertext") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestWordsWithASecretAreWithheld(t *testing.T) {
	for _, words := range []string{string(plain), "a " + secret + " b"} {
		_, err := saying(t, always(400, `{"errors":["`+words+`"]}`)).Wrap("root", []byte(token), plain, bound)
		if err == nil || strings.Contains(err.Error(), "says") {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// FuzzAnswer: whatever a service answers, nothing breaks, and no error holds a secret.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []struct {
		code uint16
		text string
	}{{200, `{"data":{"ciphertext":"` + wrapped + `"}}`}, {200, `{"data":{"plaintext":"` + secret + `"}}`}, {403, `{"errors":["permission denied"]}`}, {400, `{"errors":["` + token + `"]}`}, {204, ""}, {307, ""}, {200, "[[["}} {
		f.Add(seed.code, seed.text)
	}
	f.Fuzz(func(t *testing.T, code uint16, text string) {
		var got struct {
			Data struct {
				Plaintext  []byte `json:"plaintext"`
				Ciphertext string `json:"ciphertext"`
			} `json:"data"`
		}
		response := &http.Response{StatusCode: int(code), Body: io.NopCloser(strings.NewReader(text))}
		if err := read(response, &got, [][]byte{[]byte(token), plain}); err != nil {
			if words := err.Error(); strings.Contains(words, token) || strings.Contains(words, string(plain)) || strings.Contains(words, secret) || len(words) > 1000 {
				t.Errorf("%d %q: %q", code, text, words)
			}
		}
		if raw, err := opaque([]byte(got.Data.Ciphertext)); err == nil && (len(raw) == 0 || len(got.Data.Ciphertext) > maxCiphertext) {
			t.Errorf("a ciphertext: %q", got.Data.Ciphertext)
		}
	})
}
