package dashboard

import (
	"net/http"
	"strings"
)

// contentPolicy lets a page use this host's own files and nothing else. Markup
// made by scripts must come through the one policy of static/morph.js.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types sealdock-live"

// filePolicy goes with evidence: if a browser should show it as a document
// after all, it may do nothing (OWASP ASVS 5.0.0, 3.2.1).
const filePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"

// maxForm bounds the body of every request that is not the API's, in bytes.
const maxForm = 64 << 10

// protect puts the security headers on every answer and refuses what other
// sites ask for.
func (d *Dashboard) protect(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.problem(w, r, nil, http.StatusForbidden, "Refused", "This request came from another site. Open Sealdock itself and try again.")
	}))
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=(), fullscreen=(self)")
		h.Set("Cache-Control", "no-store")
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		if !d.admit(w, r) {
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// static serves the embedded files. Their address changes with their content.
func (d *Dashboard) static(w http.ResponseWriter, r *http.Request) {
	file, ok := d.assets[r.PathValue("name")]
	if !ok || r.PathValue("release") != d.release {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(file.text)
}

// attachment is a Content-Disposition for a hostile file name: an ASCII form
// for old browsers and the whole name in RFC 8187 form (RFC 6266 section 5).
func attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`"\/%;:<>|?*'`, r) {
			return '_'
		}
		return r
	}, name)
	if plain == "" || strings.Trim(plain, "._ ") == "" {
		plain = "evidence"
	}
	var full strings.Builder
	for _, b := range []byte(strings.ToValidUTF8(name, "_")) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '.':
			full.WriteByte(b)
		default:
			const hexDigits = "0123456789ABCDEF"
			full.Write([]byte{'%', hexDigits[b>>4], hexDigits[b&15]})
		}
	}
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + full.String()
}
