package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/upload"
)

// bitText shows a rate of bytes a second as lines are sold: in bits.
func bitText(bytesPerSecond uint64) string {
	if bytesPerSecond == uplink.NoLimit {
		return "no limit"
	}
	f := float64(bytesPerSecond) * 8
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}
	i := 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	digits := 0
	if i > 0 && f < 99.95 {
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', digits, 64), ".0") + " " + units[i]
}

// clearWords says when a backlog is through.
type clearWords struct {
	Text string
	Time template.HTML // follows Text; "" for none
	Tone string
}

func (d *Dashboard) clearWords(f uplink.Forecast) clearWords {
	switch {
	case f.Nothing():
		return clearWords{Text: "All through", Tone: "ok"}
	case f.Unknown:
		return clearWords{Text: "Not known yet", Tone: "quiet"}
	case f.ClearAt.IsZero():
		return clearWords{Text: fmt.Sprintf("Not within %d days", schedule.Horizon/(24*time.Hour)), Tone: "bad"}
	}
	return clearWords{Text: "Clear at", Time: d.soon(f.ClearAt)}
}

// soon shows a coming moment, to the minute: with its day where it is not today.
func (d *Dashboard) soon(t time.Time) template.HTML {
	here, now := t.In(d.Zone), d.Now().In(d.Zone)
	form := "Mon 2 Jan 15:04 MST"
	if here.Format(time.DateOnly) == now.Format(time.DateOnly) {
		form = "15:04 MST"
	}
	return d.timeElement(t, here.Format(form))
}

// limitWords says what a station may send at the moment.
func (d *Dashboard) limitWords(s *uplink.StationPlan) string {
	switch {
	case s.Table == nil:
		return "no weekly table: no limit"
	case s.Limit == uplink.NoLimit && s.LimitUntil.IsZero():
		return "no limit"
	}
	text := bitText(s.Limit) + " allowed"
	if s.Limit == 0 {
		text = "nothing may be sent"
	} else if s.Limit == uplink.NoLimit {
		text = "no limit"
	}
	if !s.LimitUntil.IsZero() {
		text += " until " + s.LimitUntil.In(d.Zone).Format("Mon 15:04 MST")
	}
	return text
}

// transportWords says how a dock is connected: over what, in figures, and why.
func transportWords(t *upload.Transport) (over status, how, why string) {
	if t == nil {
		return status{}, "", ""
	}
	switch t.GetOver() {
	case upload.OverQUIC:
		over = status{"", "dock", "QUIC"}
	case upload.OverTCP:
		over = status{"warn", "warn", "TCP"}
	default:
		over = status{"", "info", t.GetOver()}
	}
	parts := []string{plural(uint64(t.GetConnections()), "connection")}
	if rtt := t.GetRttUs(); rtt > 0 {
		parts = append(parts, strings.TrimSuffix(strconv.FormatFloat(float64(rtt)/1000, 'f', 1, 64), ".0")+" ms there and back")
	}
	if lost := t.GetLostPpm(); lost > 0 {
		parts = append(parts, strconv.FormatFloat(float64(lost)/10_000, 'f', 2, 64)+" % of packets lost")
	}
	why = sentenceOf(t.GetWhy())
	if why == "" && t.GetOver() == upload.OverQUIC {
		why = "The usual way."
	}
	return over, strings.Join(parts, " · "), why
}

// spoolStatus says how full a spool is.
func spoolStatus(percent uint64) status {
	word := fmt.Sprintf("%d %% full", percent)
	switch {
	case percent >= 95:
		return status{"bad", "stop", word}
	case percent >= 70:
		return status{"warn", "warn", word}
	}
	return status{"ok", "ok", word}
}

// uplinkDone says what a form did.
func uplinkDone(act string) string {
	switch act {
	case "table":
		return "The weekly table is changed. Docks hear of it within a second, and it is on record in the custody log."
	case "sending":
		return "What goes first is changed. Docks hear of it within a second, and it is on record in the custody log."
	}
	return ""
}
