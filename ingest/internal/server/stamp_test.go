package server

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/tsa"
)

func TestARunningServerHasItsLogStamped(t *testing.T) {
	a := tsa.Start(t)
	r := newServer(t)
	r.config.StampURL, r.config.StampRoots = a.URL, a.Roots
	r.start()
	db, err := r.config.openCatalog(r.ctx, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for tick := time.Tick(20 * time.Millisecond); ; {
		if _, err := db.NewestStamp(r.ctx); err == nil {
			break
		}
		select {
		case <-tick:
		case <-r.ctx.Done():
			t.Fatal("no stamp came")
		}
	}
	asked := a.Asked.Load()
	v, err := StampLog(r.ctx, r.config, r.logger(), time.Now) // beside it
	if err != nil || v.Authority != "Example Court Time Stamps" || a.Asked.Load() != asked+1 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestAnAuthorityIsConfiguredWholeOrNotAtAll(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no address":    {func(c *Config) { c.StampURL = "ftp://x" }, "timestamp_url"},
		"no roots":      {func(c *Config) { c.StampURL = "http://x/tsr" }, "timestamp_authority is empty"},
		"all the time":  {func(c *Config) { c.StampURL, c.StampRoots, c.StampEvery = "http://x", "ca.pem", Duration(time.Second) }, "timestamp_every"},
		"roots missing": {func(c *Config) { c.StampURL, c.StampRoots = "http://x", "missing.pem" }, "missing.pem"},
	} {
		config := Defaults()
		config.Agency, config.PublicNames, config.LogOrigin = "springfield", []string{"localhost"}, "localhost/springfield"
		c.change(&config)
		err := config.Check()
		if err == nil {
			_, err = config.openStamp(nil, nil, time.Now)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
