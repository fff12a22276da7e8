package serve

import (
	"strconv"

	"srvctl/proto/http1"
)

// errorPages holds the page of every status code, made once.
var errorPages = func() (pages [600]*Ready) {
	for code := 200; code < 600; code++ {
		if text := http1.StatusText(code); text != "" {
			pages[code] = renderErrorPage(code, text)
		}
	}
	return pages
}()

func renderErrorPage(code int, text string) *Ready {
	title := strconv.Itoa(code) + " " + text
	body := "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title +
		"</title></head>\n<body><h1>" + title + "</h1></body></html>\n"
	return NewReady(code, []byte("Content-Type: text/html; charset=utf-8\r\n"), []byte(body))
}

// ErrorPage returns the plain page of a status code; codes without a name get
// the page of 500.
func ErrorPage(code int) *Ready {
	if code >= 0 && code < len(errorPages) && errorPages[code] != nil {
		return errorPages[code]
	}
	return errorPages[500]
}
