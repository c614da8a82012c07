package lanes

import (
	"testing"
	"time"
)

func half() float64 { return 0.5 }

// noon is any moment.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestThePlanJudgesByWhatIsCarried(t *testing.T) {
	const mb = 1e6
	lost := func(quic, tcp float64) measure {
		return measure{quic: quic * mb, tcp: tcp * mb, lossy: true, lost: 0.01}
	}
	flooded := func(quic, tcp float64) measure { return measure{quic: quic * mb, tcp: tcp * mb, lost: 0.12} }
	clean := func(quic, tcp float64) measure { return measure{quic: quic * mb, tcp: tcp * mb} }
	for _, c := range []struct {
		name     string
		noTCP    bool
		most     int
		measures []measure // one after the other
		want     []Mix     // after each
	}{
		{name: "a clean path keeps one lane", measures: []measure{clean(5, 0), clean(6, 0)}, want: []Mix{{1, 0}, {1, 0}}},
		{name: "TCP is tried early on a lossy path, and left when it carries nothing",
			measures: []measure{lost(1, 0), lost(1, 0.01), lost(1, 0)}, want: []Mix{{1, 1}, {1, 0}, {2, 0}}},
		{name: "a TCP lane that begins with a flood, and carries much more",
			measures: []measure{lost(0.4, 0), flooded(0.3, 6)}, want: []Mix{{1, 1}, {0, 1}}},
		{name: "TCP is tried again where QUIC has all the lanes that there may be", most: 4,
			measures: []measure{lost(1, 0), lost(1, 0.01), lost(1, 0), lost(2, 0), lost(4, 0), lost(4, 0), lost(4, 0), lost(4, 0), lost(3, 8)}, want: []Mix{{1, 1}, {1, 0}, {2, 0}, {4, 0}, {4, 0}, {4, 0}, {4, 0}, {3, 1}, {0, 1}}},
		{name: "a strong TCP lane stays alone",
			measures: []measure{lost(0.3, 0), lost(0.3, 10), clean(0, 10)}, want: []Mix{{1, 1}, {0, 1}, {0, 1}}},
		{name: "two strong TCP lanes, when the second pays",
			measures: []measure{lost(0.2, 0), lost(0.2, 5), lost(0, 5), lost(0, 9), lost(0, 9.5)}, want: []Mix{{1, 1}, {0, 1}, {0, 2}, {0, 4}, {0, 2}}},
		{name: "two strong TCP lanes that only flood the path",
			measures: []measure{lost(0.2, 0), lost(0.2, 5), lost(0, 5), flooded(0, 6)}, want: []Mix{{1, 1}, {0, 1}, {0, 2}, {0, 1}}},
		{name: "a TCP lane that is no better gives way to QUIC",
			measures: []measure{lost(1, 0), lost(1, 1.1), lost(4, 0), lost(8, 0), lost(8.1, 0), clean(8, 0)}, want: []Mix{{1, 1}, {4, 0}, {8, 0}, {16, 0}, {8, 0}, {8, 0}}},
		{name: "the weaker kind is kept where it counts",
			measures: []measure{lost(1, 0), lost(1, 2), lost(0, 2.1), clean(1, 2)}, want: []Mix{{1, 1}, {0, 1}, {1, 1}, {1, 1}}},
		{name: "QUIC alone doubles while it pays", noTCP: true,
			measures: []measure{lost(1, 0), lost(2, 0), lost(3.5, 0), lost(3.7, 0), lost(3.5, 0)}, want: []Mix{{2, 0}, {4, 0}, {8, 0}, {4, 0}, {4, 0}}},
		{name: "never more than allowed", noTCP: true, most: 2,
			measures: []measure{lost(1, 0), lost(2, 0), lost(2, 0)}, want: []Mix{{2, 0}, {2, 0}, {2, 0}}},
		{name: "where the processor is the limit two, when they pay",
			measures: []measure{clean(100, 0), clean(50, 60), clean(100, 0), clean(115, 0), clean(115, 0)}, want: []Mix{{1, 1}, {1, 0}, {2, 0}, {2, 0}, {2, 0}}},
		{name: "and one when they do not",
			measures: []measure{clean(100, 0), clean(50, 60), clean(100, 0), clean(105, 0), clean(100, 0)}, want: []Mix{{1, 1}, {1, 0}, {2, 0}, {1, 0}, {1, 0}}},
		{name: "but TCP where it takes less of the processor",
			measures: []measure{clean(100, 0), clean(30, 80), clean(0, 150), clean(0, 160), clean(0, 150)}, want: []Mix{{1, 1}, {0, 1}, {0, 2}, {0, 1}, {0, 1}}},
		{name: "QUIC where TCP beside it slows the whole",
			measures: []measure{clean(100, 0), clean(20, 70), clean(100, 0), clean(105, 0)}, want: []Mix{{1, 1}, {1, 0}, {2, 0}, {1, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			most := 16
			if c.most > 0 {
				most = c.most
			}
			p := newPlan(most, 4, true, !c.noTCP, half)
			for i, m := range c.measures {
				p.judge(noon.Add(time.Duration(i)*3*time.Second), m)
				if p.mix != c.want[i] {
					t.Fatalf("after measure %d: %v, want %v", i, p.mix, c.want[i])
				}
			}
		})
	}
}

func TestThePlanLooksAgainAfterMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		mix  Mix
		m    []measure // at the review, and of the trials that it begins
		want []Mix
	}{
		"a clean path goes back to one lane of QUIC":      {Mix{0, 1}, []measure{{tcp: 100}, {quic: 99}}, []Mix{{1, 0}, {1, 0}}},
		"unless that carries less":                        {Mix{0, 1}, []measure{{tcp: 100}, {quic: 50}}, []Mix{{1, 0}, {0, 1}}},
		"a lossy path keeps its TCP lane":                 {Mix{0, 1}, []measure{{tcp: 100, lossy: true}}, []Mix{{0, 2}}},
		"many lanes shrink by halves":                     {Mix{8, 0}, []measure{{quic: 100}, {quic: 99}, {quic: 60}}, []Mix{{4, 0}, {2, 0}, {4, 0}}},
		"what does as well with half is halved once more": {Mix{8, 0}, []measure{{quic: 100, lossy: true}, {quic: 98, lossy: true}, {quic: 97, lossy: true}, {quic: 60, lossy: true}}, []Mix{{4, 0}, {2, 0}, {1, 0}, {2, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(16, 1, true, true, half)
			p.mix, p.why = c.mix, causeLoss
			p.judge(noon, measure{quic: 1})
			now := noon.Add(reviewLast)
			for i, m := range c.m {
				if i == 0 && c.mix.QUIC > 0 {
					p.refused[addTCP], p.refused[double], p.retryAt = true, true, now
				}
				p.judge(now, m)
				if p.mix != c.want[i] {
					t.Fatalf("after measure %d: %v, want %v", i, p.mix, c.want[i])
				}
				now = now.Add(3 * time.Second)
			}
		})
	}
}

func TestWhatWasRefusedIsTriedAgainLater(t *testing.T) {
	p := newPlan(16, 1, true, true, half)
	tries := 0
	for now := noon; now.Before(noon.Add(time.Hour)); now = now.Add(2 * time.Second) {
		before := p.mix
		p.judge(now, measure{quic: 1e6, lossy: true})
		if p.mix.total() > 1 && before.total() == 1 {
			tries++
		}
	}
	if tries < 25 || tries > 60 { // two steps, each three minutes or so
		t.Errorf("%d tries in an hour", tries)
	}
}

func TestALaneThatDoesNotComeAboutEndsItsTrial(t *testing.T) {
	p := newPlan(16, 1, true, true, half)
	p.judge(noon, measure{quic: 1, lossy: true})
	if p.mix != (Mix{1, 1}) {
		t.Fatal(p.mix)
	}
	p.denied(noon, Mix{1, 0})
	if p.mix != (Mix{1, 0}) || p.trial != nil {
		t.Errorf("%v, trial %v", p.mix, p.trial)
	}
	p.judge(noon, measure{quic: 1, lossy: true})
	if p.mix != (Mix{2, 0}) {
		t.Errorf("next %v, want QUIC lanes", p.mix)
	}
	p.denied(noon, Mix{1, 0})
	p.mix = Mix{3, 2}
	p.denied(noon, Mix{3, 1})
	if p.mix != (Mix{3, 1}) {
		t.Errorf("%v, want what there is", p.mix)
	}
	p.denied(noon, Mix{})
	if p.mix != (Mix{3, 1}) {
		t.Errorf("%v: nothing is no plan", p.mix)
	}
}

func TestAnIdleTimeIsForgottenAfterAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		lasted time.Duration
		want   Mix
	}{"short": {5 * time.Minute, Mix{8, 0}}, "long": {time.Hour, Mix{1, 0}}} {
		p := newPlan(16, 1, true, true, half)
		p.mix = Mix{8, 0}
		p.idle(noon, true)
		p.idle(noon.Add(time.Second), false)
		p.idle(noon.Add(5*time.Second), false)
		if p.mix != (Mix{8, 0}) {
			t.Errorf("%s: after 4 s %v", name, p.mix)
		}
		p.idle(noon.Add(12*time.Second), false)
		if p.mix != (Mix{1, 0}) {
			t.Errorf("%s: idle %v", name, p.mix)
		}
		p.idle(noon.Add(c.lasted), true)
		if p.mix != c.want {
			t.Errorf("%s: busy again %v, want %v", name, p.mix, c.want)
		}
	}
}

func TestAMixThatReachesTheLimitIsKeptUntilFewerDo(t *testing.T) {
	p := newPlan(16, 1, true, false, half)
	p.judge(noon, measure{quic: 1e6, lossy: true})
	p.limited(noon.Add(3*time.Second), measure{quic: 1.2e6, lossy: true})
	if p.mix != (Mix{2, 0}) || p.trial != nil {
		t.Errorf("%v, trial %v", p.mix, p.trial)
	}
	p.limited(noon.Add(reviewLast), measure{quic: 1.2e6, lossy: true})
	if p.mix != (Mix{1, 0}) {
		t.Errorf("at the review %v", p.mix)
	}
	p.judge(noon.Add(reviewLast+3*time.Second), measure{quic: 1e6, lossy: true})
	if p.mix != (Mix{2, 0}) {
		t.Errorf("when fewer do not reach it %v", p.mix)
	}
}
