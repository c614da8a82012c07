package dashboard_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tokens reads the colours of base.css: light, and dark on top of it.
func tokens(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("static/base.css")
	if err != nil {
		t.Fatal(err)
	}
	lightPart, rest, _ := strings.Cut(string(text), "@media (prefers-color-scheme: dark)")
	darkPart, _, _ := strings.Cut(rest, "*, *::before")
	colour := regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`)
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range colour.FindAllStringSubmatch(lightPart, -1) {
		light[m[1]], dark[m[1]] = m[2], m[2]
	}
	for _, m := range colour.FindAllStringSubmatch(darkPart, -1) {
		dark[m[1]] = m[2]
	}
	return map[string]map[string]string{"light": light, "dark": dark}
}

// luminance is WCAG 2.2's relative luminance of #rrggbb.
func luminance(colour string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func TestColoursAreToldApart(t *testing.T) {
	type pair struct {
		front string
		backs []string
		least float64
	}
	surfaces := []string{"paper", "card", "sunken"}
	pairs := []pair{
		{"ink", surfaces, 7}, {"ink-2", surfaces, 4.5}, {"ink-3", surfaces, 4.5}, {"accent", surfaces, 4.5}, {"accent-hover", surfaces, 4.5},
		{"on-accent", []string{"accent", "accent-hover"}, 4.5}, {"bad", surfaces, 4.5}, {"warn", surfaces, 4.5},
		{"accent", []string{"accent-soft"}, 4.5}, {"on-rail", []string{"rail", "rail-2"}, 7}, {"on-rail-2", []string{"rail", "rail-2"}, 4.5},
		{"edge", []string{"card", "paper"}, 3}, {"focus", surfaces, 3}, {"seal", []string{"rail", "rail-2"}, 3},
	}
	for _, tone := range []string{"ok", "busy", "warn", "bad", "idle"} {
		pairs = append(pairs, pair{tone, []string{tone + "-soft"}, 4.5})
		if tone != "idle" {
			pairs = append(pairs, pair{tone, []string{"idle-soft", "card"}, 3}) // progress bars
		}
	}
	for scheme, colours := range tokens(t) {
		for _, p := range pairs {
			for _, back := range p.backs {
				if colours[p.front] == "" || colours[back] == "" {
					t.Fatalf("%s: no colour %s or %s", scheme, p.front, back)
				}
				if got := contrast(colours[p.front], colours[back]); got < p.least {
					t.Errorf("%s: %s on %s is %.2f:1, %.1f:1 is needed", scheme, p.front, back, got, p.least)
				}
			}
		}
	}
}
