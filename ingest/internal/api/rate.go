package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// pace counts a request of an actor, and says in the answer how many are left
// (draft-ietf-httpapi-ratelimit-headers-10). It returns a *Problem for one too many.
func (a *api) pace(w http.ResponseWriter, r *http.Request, actor *auth.Actor) error {
	if !a.Slow || a.Settings == nil {
		return nil
	}
	policy, rate := "session", a.Settings.Number(r.Context(), settings.SessionRate)
	if actor.Token != nil {
		policy, rate = "token", a.Settings.Number(r.Context(), settings.TokenRate)
	}
	n := a.meter.Count(actorKey(actor), rate, a.Now())
	h := w.Header()
	h.Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%d`, policy, n.Quota, seconds(n.Window)))
	h.Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, policy, n.Left, seconds(n.Full)))
	if n.Wait == 0 {
		return nil
	}
	p := refuse(http.StatusTooManyRequests, "Too many requests", fmt.Sprintf("Nothing was done. Wait %d seconds and try again. An administrator can change the limit in the settings.", seconds(n.Wait)))
	p.retry = seconds(n.Wait)
	return p
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
