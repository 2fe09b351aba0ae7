// Writers with go-redis: one client, its pool shared by goroutines. The contract is in test/clients/README.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

func recommend(options *redis.Options) {
	// docs:begin
	// a name or an address that does not answer is tried again soon; refused connections too, for a second within each attempt
	options.DialTimeout = time.Second
	options.DialerRetries = 10
	// an answer that is due is waited for so long; then the connection is closed and the command tried again
	options.ReadTimeout = 2 * time.Second
	options.WriteTimeout = 2 * time.Second
	// MaxRetries stays at 3: the greeting of a new connection is repeated as often on that same connection, be it dead or not, with growing pauses;
	// with 10 a connection that was cut during its greeting cost 3 seconds.
	// docs:end
}

var start = time.Now()
var startMs = float64(start.UnixNano()) / 1e6
var mutex sync.Mutex
var kinds = regexp.MustCompile(`^[A-Z]{4,}\b`)

func now() float64 { return startMs + float64(time.Since(start).Nanoseconds())/1e6 }

func say(line map[string]any) {
	text, _ := json.Marshal(line)
	mutex.Lock()
	defer mutex.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	options := &redis.Options{
		Addr:     os.Getenv("REDIS_HOST") + ":" + os.Getenv("REDIS_PORT"),
		Password: os.Getenv("REDIS_PASSWORD"),
		OnConnect: func(context.Context, *redis.Conn) error {
			say(map[string]any{"connected": true})
			return nil
		},
	}
	if os.Getenv("CONFIG") == "recommended" {
		recommend(options)
	}
	client := redis.NewClient(options)
	pause := time.Duration(number("PAUSE_MS")) * time.Millisecond
	var stopped atomic.Bool
	for writer := range number("WRITERS") {
		go func() {
			for count := 1; !stopped.Load(); count++ {
				key := fmt.Sprintf("c:%s:%d:%d", os.Getenv("RUN"), writer, count)
				from := now()
				if err := client.Set(context.Background(), key, count, 0).Err(); err != nil {
					kind := kinds.FindString(err.Error())
					if kind == "" {
						kind = reflect.TypeOf(err).String()
					}
					say(map[string]any{"error": kind, "text": err.Error(), "writer": writer, "from": from, "to": now()})
				} else {
					say(map[string]any{"ack": key, "writer": writer, "from": from, "to": now()})
				}
				time.Sleep(pause)
			}
		}()
	}
	say(map[string]any{"ready": true})
	io.Copy(io.Discard, os.Stdin)
	stopped.Store(true)
	time.Sleep(500 * time.Millisecond)
}
