package kiosk

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours reads the tokens of face.css: light, and dark on top of it.
func colours(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("static/face.css")
	if err != nil {
		t.Fatal(err)
	}
	lightPart, rest, _ := strings.Cut(string(text), "@media (prefers-color-scheme: dark)")
	darkPart, _, found := strings.Cut(rest, "*, *::before")
	if !found {
		t.Fatal("face.css is not laid out as this test reads it")
	}
	token := regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`)
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range token.FindAllStringSubmatch(lightPart, -1) {
		light[m[1]], dark[m[1]] = m[2], m[2]
	}
	for _, m := range token.FindAllStringSubmatch(darkPart, -1) {
		dark[m[1]] = m[2]
	}
	return map[string]map[string]string{"light": light, "dark": dark}
}

// luminance is WCAG 2.2's relative luminance of #rrggbb.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
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

func TestColoursAreToldApart(t *testing.T) {
	pairs := []struct {
		front, backs string
		least        float64
	}{
		{"ink", "paper card", 7}, {"ink-2", "paper card", 7}, {"free", "paper free-soft", 4.5}, {"warn", "warn-soft card", 4.5},
		{"on-take", "take", 4.5}, {"on-help", "help", 4.5}, {"leave", "leave-soft card", 4.5}, {"take", "card", 4.5}, {"help", "card help-soft", 4.5}, {"ink", "help-soft", 7},
		{"on-rail", "rail", 7}, {"on-rail-2", "rail", 4.5}, {"on-seal", "seal", 4.5},
		{"edge", "card paper", 3}, {"focus", "card paper", 3}, {"leave", "track", 3}, {"help", "paper", 3}, {"take", "paper", 3},
	}
	for scheme, all := range colours(t) {
		for _, p := range pairs {
			for _, back := range strings.Fields(p.backs) {
				if all[p.front] == "" || all[back] == "" {
					t.Fatalf("%s: no colour %s or %s", scheme, p.front, back)
				}
				a, b := luminance(t, all[p.front]), luminance(t, all[back])
				if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < p.least {
					t.Errorf("%s: %s on %s is %.2f:1, %.1f:1 is needed", scheme, p.front, back, got, p.least)
				}
			}
		}
	}
	all := colours(t)["light"]
	red := luminance(t, "#ffb4ac")
	if got := (red + 0.05) / (luminance(t, all["rail"]) + 0.05); got < 4.5 {
		t.Errorf("the server's trouble on the header is %.2f:1", got)
	}
}
