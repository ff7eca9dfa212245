// Command upstream is the service behind every proxy that is compared: it
// answers at once, always the same.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
)

const answer = `{"id":"01a20754-d39b-7e61-8125-64dba31be060","title":"A note of usual length","body":"What it says fits on a line or two.","tags":["one","two"],"version":3,"updated_at":"2026-01-02T03:04:05.678901Z"}`

// The limit is so high that it is kept account of and refuses nobody.
const document = `{"openapi":"3.1.0","info":{"title":"things","version":"1"},"paths":{"/v1/things/{id}":{"get":{
	"operationId":"get","responses":{},"x-rate-limit":{"per_second":1e9,"burst":1000000000}}}}}`

func main() {
	addr := flag.String("addr", "127.0.0.1:8010", "where to listen")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/things/{id}", say(answer))
	mux.HandleFunc("GET /openapi.json", say(document))
	mux.HandleFunc("GET /readyz", say(`{}`))
	mux.HandleFunc("POST /api/v2/spans", func(w http.ResponseWriter, r *http.Request) { // Zipkin's
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	log.Fatal(http.ListenAndServe(*addr, mux))
}

func say(text string) http.HandlerFunc {
	body := []byte(text)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}
