package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// found is a scan of testssl.sh without a fault.
func found(tls12 bool) []finding {
	var all []finding
	want := wanted(tls12)
	for _, id := range slices.Sorted(maps.Keys(want)) {
		all = append(all, finding{id, "OK", want[id]})
	}
	return append(all, finding{"argued", "HIGH", "as ever"})
}

func TestTheBarOfTestSSL(t *testing.T) {
	for _, tls12 := range []bool{false, true} {
		judge := func(all []finding) verdict {
			t.Helper()
			argued, err := readExceptions("# why\nargued: because of this and that\n")
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			v, err := judgeTestSSL(text, tls12, argued)
			if err != nil || len(argued.unused()) > 0 {
				t.Fatal(err, argued.unused())
			}
			return v
		}
		if v := judge(found(tls12)); len(v.Bad) != 0 || len(v.Excepted) != 1 {
			t.Errorf("a clean scan: %+v", v)
		}
		for i, f := range found(tls12) {
			if f.ID == "argued" {
				continue
			}
			all := found(tls12)
			for _, harm := range []func(){
				func() { all = append(all[:i:i], all[i+1:]...) }, // not looked at
				func() { all[i].Severity = "LOW" },
				func() { all[i].Finding = "VULNERABLE" },
			} {
				all = found(tls12)
				harm()
				if v := judge(all); len(v.Bad) == 0 && f.Finding != "" {
					t.Errorf("%s: a fault is not seen", f.ID)
				}
			}
		}
		if v := judge(append(found(tls12), finding{"NEW", "LOW", "a hole of tomorrow"})); len(v.Bad) != 1 {
			t.Errorf("%+v", v)
		}
	}
	if _, err := readExceptions("id: short\n"); err == nil {
		t.Error("an exception without a reason is taken")
	}
}

const clean = `<document><ssltest host="localhost">
<protocol type="ssl" version="2" enabled="0" /><protocol type="ssl" version="3" enabled="0" /><protocol type="tls" version="1.0" enabled="0" />
<protocol type="tls" version="1.1" enabled="0" /><protocol type="tls" version="1.2" enabled="%d" /><protocol type="tls" version="1.3" enabled="1" />
<renegotiation supported="0" secure="0" /><heartbleed sslversion="TLSv1.3" vulnerable="0" />
<cipher status="preferred" sslversion="TLSv1.3" bits="128" cipher="TLS_AES_128_GCM_SHA256" />
<cipher status="accepted" sslversion="TLSv1.2" bits="256" cipher="ECDHE-ECDSA-AES256-GCM-SHA384" />
<group sslversion="TLSv1.3" bits="128" name="secp256r1 (NIST P-256)" id="0x0017" />
<certificates><certificate type="short"><pk type="EC" bits="128" /><expired>false</expired></certificate></certificates>
</ssltest></document>`

func TestTheBarOfSSLScan(t *testing.T) {
	for _, tls12 := range []bool{false, true} {
		on := map[bool]int{true: 1}[tls12]
		good := fmt.Sprintf(clean, on)
		if v, err := judgeSSLScan([]byte(good), tls12); err != nil || len(v.Bad) != 0 {
			t.Errorf("a clean scan: %+v, %v", v, err)
		}
		for old, harm := range map[string]string{
			`version="1.1" enabled="0"`: `version="1.1" enabled="1"`, `version="1.3" enabled="1"`: `version="1.3" enabled="0"`, `version="3" enabled="0"`: `version="3" enabled="1"`,
			"ECDHE-ECDSA-AES256-GCM-SHA384": "AES256-GCM-SHA384", "AES256-GCM": "AES256-CBC", `bits="128" name`: `bits="80" name`, `vulnerable="0"`: `vulnerable="1"`,
			`pk type="EC"`: `pk type="RSA"`, "<expired>false": "<expired>true", `renegotiation supported="0"`: `renegotiation supported="1"`,
			fmt.Sprintf(`version="1.2" enabled="%d"`, on): fmt.Sprintf(`version="1.2" enabled="%d"`, 1-on), `<group`: `<grope`, `<certificate `: `<nothing `,
		} {
			text := strings.Replace(good, old, harm, 1)
			if text == good {
				t.Fatalf("%s is not there", old)
			}
			if strings.Contains(harm, "<") {
				text = strings.NewReplacer("<grope", "<other", "<nothing ", "<other ", "</certificate>", "</other>").Replace(text)
			}
			if v, err := judgeSSLScan([]byte(text), tls12); err == nil && len(v.Bad) == 0 {
				t.Errorf("%s is not seen", harm)
			}
		}
	}
}
