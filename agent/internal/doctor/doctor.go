package doctor

import (
	"context"
	"time"
)

// Verdict is what a finding comes to.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "OK"
	Warn Verdict = "WARN" // works, or may work, but a person should look
	Fail Verdict = "FAIL" // recordings are not copied, or not sent, until this is mended
)

// Finding is what one check found.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Said    string  `json:"said"`             // one sentence
	Advice  string  `json:"advice,omitempty"` // what to do; always there unless OK
}

func fine(said string) Finding         { return Finding{Verdict: OK, Said: said} }
func warn(said, advice string) Finding { return Finding{Verdict: Warn, Said: said, Advice: advice} }
func fail(said, advice string) Finding { return Finding{Verdict: Fail, Said: said, Advice: advice} }
func one(finding Finding) []Finding    { return []Finding{finding} }
func unknown(said string, err error) Finding {
	return warn(said+" ("+err.Error()+")", "Run sealdock-agent doctor as root, on the machine itself and not in a container, so that it may look.")
}

// checkTime is how long one check may take.
const checkTime = 20 * time.Second

// check is one examination. It may find several things.
type check struct {
	name string
	run  func(ctx context.Context, s *Station) []Finding
}

// checks are all examinations, in the order in which they are told.
func checks() []check {
	return []check{
		{"configuration", configuration},
		{"enrolment", enrolment},
		{"certificate", certificate},
		{"service", unit},
		{"data folder", folder},
		{"other agent", otherAgent},
		{"spool disk", disk},
		{"spool", filling},
		{"udev rules", rules},
		{"usb", usb},
		{"mass storage", storage},
		{"clock", clock},
		{"server", server},
		{"udp buffers", buffers},
	}
}

// Examine runs all checks, one after the other.
func Examine(ctx context.Context, s *Station) []Finding {
	var all []Finding
	for _, c := range checks() {
		within, cancel := context.WithTimeout(ctx, checkTime)
		for _, f := range c.run(within, s) {
			f.Check = c.name
			all = append(all, f)
		}
		cancel()
	}
	return all
}
