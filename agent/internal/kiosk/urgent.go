package kiosk

import (
	"context"
	"net/http"
	"strings"
)

// urgent takes the one thing that officers can ask: this bay first, or no
// longer. It says what it wants, not "the other way round", so that two presses
// at once mean the same. The gate has seen that our own page asks.
func (k *Kiosk) urgent(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		k.problem(w, http.StatusBadRequest, "Not understood", "Go back and press the button again.")
		return
	}
	port, on := r.PostForm.Get("port"), r.PostForm.Get("on")
	if k.options.Urgent == nil || on != "yes" && on != "no" {
		k.problem(w, http.StatusBadRequest, "Not understood", "Go back and press the button again.")
		return
	}
	d, fresh := k.board.look()
	if _, there := d.ports[port]; !fresh || !there {
		k.problem(w, http.StatusConflict, "No camera in that bay", "The camera was taken out, or the dock does not answer.")
		return
	}
	if !k.press(r.Context(), port, on == "yes") {
		k.problem(w, http.StatusServiceUnavailable, "Not done", "The dock could not take that. Press the button again.")
		return
	}
	k.board.hurry()
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// press asks the agent, one at a time, and reports whether it did it. What went
// wrong is for the log: the page is read by anybody.
func (k *Kiosk) press(ctx context.Context, port string, on bool) bool {
	ctx, cancel := context.WithTimeout(ctx, pressTime)
	defer cancel()
	select {
	case k.pressing <- struct{}{}:
		defer func() { <-k.pressing }()
	case <-ctx.Done():
		k.options.Log.WarnContext(ctx, "urgent was pressed, but the press before it is not done yet", "bay", port, "on", on)
		return false
	}
	if err := k.options.Urgent(port, on); err != nil {
		k.options.Log.WarnContext(ctx, "urgent was pressed at the dock, and failed", "bay", port, "on", on, "error", err)
		return false
	}
	k.options.Log.InfoContext(ctx, "urgent was pressed at the dock", "bay", port, "on", on)
	return true
}
