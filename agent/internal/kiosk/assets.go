package kiosk

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
)

//go:embed pages static
var files embed.FS

// assets are the page's own files. Their address changes with their content.
type assets struct {
	byName  map[string]asset
	release string // names this set of assets, and of pages
}

type asset struct {
	text        []byte
	contentType string
}

func loadAssets() (assets, error) {
	a := assets{byName: map[string]asset{}}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	sum := sha256.New()
	for _, folder := range []string{"static", "pages"} {
		entries, err := fs.ReadDir(files, folder)
		if err != nil {
			return assets{}, fmt.Errorf("reading the bay page's files: %w", err)
		}
		for _, e := range entries {
			text, err := fs.ReadFile(files, folder+"/"+e.Name())
			if err != nil {
				return assets{}, fmt.Errorf("reading the bay page's files: %w", err)
			}
			if contentType := types[path.Ext(e.Name())]; contentType != "" && folder == "static" {
				a.byName[e.Name()] = asset{text, contentType}
			}
			fmt.Fprintf(sum, "%s %d\n", e.Name(), len(text))
			sum.Write(text)
		}
	}
	a.release = hex.EncodeToString(sum.Sum(nil)[:8])
	return a, nil
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.byName[r.PathValue("name")]
	if !ok || r.PathValue("release") != a.release {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(file.text)
}

func (a assets) templates() (*template.Template, error) {
	pages, err := template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return "/static/" + a.release + "/" + name },
		"sign":  sign,
	}).ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the bay page: %w", err)
	}
	return pages, nil
}
