package dashboard

import "strings"

// browserText puts what a browser calls itself into words that its owner knows
// it by. What it says is only ever a claim.
func browserText(agent string) string {
	if agent == "" {
		return "A browser that does not say its name"
	}
	find := func(names ...string) string {
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(agent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	name := find("Edg/", "Edge", "OPR/", "Opera", "SamsungBrowser/", "Samsung Internet", "Firefox/", "Firefox", "Chromium/", "Chromium", "HeadlessChrome/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari")
	system := find("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Macintosh", "Mac", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case name != "" && system != "":
		return name + " on " + system
	case name != "":
		return name
	}
	if runes := []rune(agent); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return agent
}

// factorText says what somebody showed when they signed in.
func factorText(factor string) string {
	switch factor {
	case "passkey":
		return "by passkey"
	case "password+code":
		return "by password and code"
	case "password+phone":
		return "by password and a code by phone"
	case "password+recovery":
		return "by password and recovery code"
	case "provider":
		return "at the agency’s provider"
	case "provider+factor":
		return "at the agency’s provider, with a second factor"
	case "provider+code":
		return "at the agency’s provider, and by code"
	case "provider+phone":
		return "at the agency’s provider, and by a code by phone"
	case "provider+recovery":
		return "at the agency’s provider, and by recovery code"
	}
	return "by password"
}
