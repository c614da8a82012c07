package dashboard

import (
	"fmt"
	"html/template"
	"path"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// functions are what pages use to show values. None takes text from outside
// and returns markup.
func (d *Dashboard) functions() template.FuncMap {
	return template.FuncMap{
		"asset":    func(name string) string { return "/static/" + d.release + "/" + name },
		"icon":     icon,
		"sealPath": func() string { return sealPath },
		"rings":    func() []string { return []string{".4", ".6", ".8", "1", "1.2", "1.4", "1.6"} },
		"bytes":    byteText,
		"rate":     func(n uint64) string { return byteText(n) + "/s" },
		"bits":     bitText,
		"count":    countText,
		"plural":   func(n int, what string) string { return plural(uint64(max(n, 0)), what) },
		"plural64": func(n any, what string) string { return plural(number(n), what) },
		"when":     d.when,
		"short":    d.short,
		"exact":    d.exact,
		"clock":    d.clockText,
		"soon":     d.soon,
		"base":     baseName,
		"kindIcon": kindIcon,
		"kindWord": kindWord,
		"chunks":   chunks,
		"camera":   cameraLink,
		"battery":  batteryText,
		"sentence": sentenceOf,
		"capital":  func(text string) string { return strings.TrimSuffix(sentenceOf(text), ".") },
		"browser":  browserText,
		"factor":   factorText,
		"deed":     auth.Words,
		"groups":   groups,
		"heads": func(n int) string {
			if n == 1 {
				return "1 person"
			}
			return countText(uint64(max(n, 0))) + " people"
		},
		"pair":      func(a, b any) pair { return pair{a, b} },
		"groupside": func(g groupCard, can bool) groupSide { return groupSide{can, g.Given} },
		"contact":   contactLink,
	}
}

// byteText shows a size in binary units with three significant digits.
func byteText(v any) string {
	n := number(v)
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n)/1024, 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f %s", f, units[i])
	case f < 99.95:
		return fmt.Sprintf("%.1f %s", f, units[i])
	}
	return fmt.Sprintf("%.0f %s", f, units[i])
}

// countText groups a number's digits with narrow no-break spaces.
func countText(v any) string {
	s := fmt.Sprint(number(v))
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func number(v any) uint64 {
	switch n := v.(type) {
	case int:
		return uint64(max(n, 0))
	case int64:
		return uint64(max(n, 0))
	case uint64:
		return n
	}
	return 0
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return countText(n) + " " + what + "s"
}

// when shows a moment in the agency's zone, with the zone's name, and in UTC
// for machines and on hover.
func (d *Dashboard) when(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	return d.timeElement(t, t.In(d.Zone).Format("2 Jan 2006 15:04:05 MST"))
}

// short is when for today's narrow places: the date is left out where it is
// today's.
func (d *Dashboard) short(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	here, now := t.In(d.Zone), d.Now().In(d.Zone)
	form := "2 Jan 15:04 MST"
	if here.Format(time.DateOnly) == now.Format(time.DateOnly) {
		form = "15:04:05 MST"
	}
	return d.timeElement(t, here.Format(form))
}

// exact is when to the millisecond.
func (d *Dashboard) exact(t time.Time) template.HTML { return d.timeElement(t, d.exactText(t)) }

// timeElement writes only digits, month names and the zone's abbreviation,
// which comes from the server's own zone table; it is escaped all the same.
func (d *Dashboard) timeElement(t time.Time, text string) template.HTML {
	utc := t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		utc.Format("2006-01-02T15:04:05.000000Z"), utc.Format("2006-01-02 15:04:05.000")+" UTC", template.HTMLEscapeString(text)))
}

func (d *Dashboard) clockText(t time.Time) string { return t.In(d.Zone).Format("15:04:05 MST") }

// baseName is the last part of a recording's path; the whole path is among the
// item's facts.
func baseName(p string) string {
	name := path.Base(strings.TrimRight(p, "/"))
	if name == "." || name == "/" {
		return p
	}
	return name
}

func shortID(id evidence.EvidenceID) string { return id.String()[:8] }

func kindWord(k evidence.Kind) string {
	switch k {
	case evidence.KindVideo:
		return "Video"
	case evidence.KindMetadata:
		return "Sidecar"
	case evidence.KindDerivative:
		return "Clip, no original"
	}
	return "Other file"
}

func kindIcon(k evidence.Kind) string {
	switch k {
	case evidence.KindVideo, evidence.KindDerivative:
		return "video"
	case evidence.KindMetadata:
		return "notes"
	}
	return "file"
}

// chunks cuts a hash into groups of eight digits.
func chunks(s string) []string {
	var parts []string
	for len(s) > 8 {
		parts, s = append(parts, s[:8]), s[8:]
	}
	return append(parts, s)
}

// status is a state as pages show it: by colour, shape and word.
type status struct {
	Tone  string // ok, busy, warn, bad, or "" for idle
	Shape string // an icon
	Word  string
}

func itemStatus(s catalog.ItemState) status {
	switch s {
	case catalog.StateStored:
		return status{"ok", "ok", "Stored"}
	case catalog.StateReceiving:
		return status{"busy", "moving", "Receiving"}
	case catalog.StateQuarantined:
		return status{"bad", "stop", "Quarantine"}
	case catalog.StateSuperseded:
		return status{"", "ring", "Superseded"}
	case catalog.StateDestroyed:
		return status{"", "ring", "Destroyed"}
	}
	return status{"", "ring", string(s)}
}
