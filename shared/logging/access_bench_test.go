package logging_test

import (
	"testing"
	"time"

	"srvctl/shared/logging"
)

func testRecord() *logging.Record {
	return &logging.Record{
		Time:       time.Date(2026, 11, 22, 18, 49, 1, 123456789, time.UTC),
		Client:     []byte("192.0.2.17"),
		Method:     []byte("GET"),
		Scheme:     []byte("http"),
		Host:       []byte("www.example.com"),
		Path:       []byte("/articles/2026/november/index.html?page=2"),
		Protocol:   []byte("HTTP/1.1"),
		Site:       []byte("example.com"),
		Route:      []byte("GET,HEAD /*"),
		UserAgent:  []byte("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
		Referer:    []byte("https://www.example.com/articles/"),
		Status:     200,
		Bytes:      5321,
		DurationUS: 87,
		Worker:     3,
	}
}

// benchmarkAppend is the loop's part: goal 200 ns.
func benchmarkAppend(b *testing.B, format string) {
	a := logging.NewBatch(format, logging.PipeBytes)
	r := testRecord()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Append(r)
		if i%100 == 0 {
			b.SetBytes(int64(len(a.Take())) / 100)
			r.Time = r.Time.Add(time.Millisecond) // 100,000 lines a second
		}
	}
}

func BenchmarkAppendJSON(b *testing.B)     { benchmarkAppend(b, "json") }
func BenchmarkAppendCombined(b *testing.B) { benchmarkAppend(b, "combined") }
