package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
)

// Redis is one connection that sends a command and waits for its reply.
type Redis struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Dial connects to redis://[user:password@]host:port[/db].
func Dial(address string) (*Redis, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", target.Host)
	if err != nil {
		return nil, err
	}
	redis := &Redis{conn: conn, reader: bufio.NewReader(conn)}
	if password, isSet := target.User.Password(); isSet {
		user := target.User.Username()
		if user == "" {
			user = "default"
		}
		if _, err := redis.Do("AUTH", user, password); err != nil {
			return nil, err
		}
	}
	if len(target.Path) > 1 {
		if _, err := redis.Do("SELECT", target.Path[1:]); err != nil {
			return nil, err
		}
	}
	return redis, nil
}

// Do returns a string, an int64, a list of such values, or nil.
func (r *Redis) Do(words ...string) (interface{}, error) {
	command := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(r.conn, command); err != nil {
		return nil, err
	}
	return r.reply()
}

func (r *Redis) reply() (interface{}, error) {
	line, err := r.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("the reply %q is not RESP", line)
	}
	kind, rest := line[0], line[1:len(line)-2]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	length, err := strconv.Atoi(rest)
	if err != nil || (kind != '$' && kind != '*') {
		return nil, fmt.Errorf("the reply %q is not RESP", line)
	}
	if length < 0 {
		return nil, nil
	}
	if kind == '$' {
		bulk := make([]byte, length+2)
		_, err := io.ReadFull(r.reader, bulk)
		return string(bulk[:length]), err
	}
	list := make([]interface{}, length)
	for at := range list {
		if list[at], err = r.reply(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
