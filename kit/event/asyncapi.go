package event

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/swaggest/jsonschema-go"
	"github.com/trellis-go/trellis/kit/transport"
)

const (
	contentType = "application/cloudevents+json"
	schemas     = "#/components/schemas/"
	envelope    = "CloudEvent"
)

// object is one of JSON.
type object = map[string]any

// AsyncAPI describes what a service tells and hears of, as an AsyncAPI 3.0
// document in JSON: a channel for each service that tells of something, a
// message for each kind of event.
func AsyncAPI(service string, tells []Kind, handles []Handler) ([]byte, error) {
	d := document{channels: map[string]*channel{}, operations: object{}, schemas: map[string]jsonschema.Schema{}}
	for _, k := range tells {
		if err := d.add("send", service, service, k); err != nil {
			return nil, err
		}
	}
	for _, h := range handles {
		if err := d.add("receive", service, h.Source, h.Kind); err != nil {
			return nil, err
		}
	}
	all := object{envelope: envelopeSchema()}
	for name, schema := range d.schemas {
		all[name] = schema
	}
	return json.Marshal(object{
		"asyncapi":           "3.0.0",
		"info":               object{"title": service, "version": "1"},
		"defaultContentType": contentType,
		"channels":           d.channels,
		"operations":         d.operations,
		"components":         object{"schemas": all},
	}, json.Deterministic(true))
}

type document struct {
	channels   map[string]*channel
	operations object // *operation
	schemas    map[string]jsonschema.Schema
}

type channel struct {
	Address     string `json:"address"`
	Description string `json:"description"`
	Messages    object `json:"messages"`
}

type operation struct {
	Action   string   `json:"action"`
	Channel  object   `json:"channel"`
	Summary  string   `json:"summary"`
	Messages []object `json:"messages"`
}

// add puts a kind of event into the source's channel and the service's
// operation on it.
func (d document) add(action, service, source string, k Kind) error {
	c := d.channels[source]
	if c == nil {
		c = &channel{Address: source, Description: fmt.Sprintf("What the %s service tells of.", source), Messages: object{}}
		d.channels[source] = c
	}
	op, _ := d.operations[action+"."+source].(*operation)
	if op == nil {
		op = &operation{Action: action, Channel: object{"$ref": "#/channels/" + source}, Summary: fmt.Sprintf("The %s service tells of these.", service)}
		if action == "receive" {
			op.Summary = fmt.Sprintf("The %s service handles these of the %s service.", service, source)
		}
		d.operations[action+"."+source] = op
	}
	ref := object{"$ref": "#/channels/" + source + "/messages/" + k.Type()}
	for _, other := range op.Messages {
		if other["$ref"] == ref["$ref"] {
			return fmt.Errorf("%s: there are two rows of %s", service, k.Type())
		}
	}
	op.Messages = append(op.Messages, ref)
	if k.Payload().Kind() != reflect.Struct {
		return fmt.Errorf("%s carries a %s, which is no struct", k.Type(), k.Payload())
	}
	data, err := transport.Schema(k.Payload(), schemas, d.schemas)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Type(), err)
	}
	c.Messages[k.Type()] = object{
		"name": k.Type(), "summary": k.Doc(), "contentType": contentType,
		"payload": object{"allOf": []any{
			object{"$ref": schemas + envelope},
			object{"type": "object", "required": []string{"data"}, "properties": object{
				"source": object{"const": source},
				"type":   object{"const": k.Type()},
				"data":   data,
			}},
		}},
	}
	return nil
}

// envelopeSchema describes a Message.
func envelopeSchema() object {
	text := func(format, doc string) object { return object{"type": "string", "format": format, "description": doc} }
	return object{
		"type":        "object",
		"description": "An event, in the JSON format of CloudEvents 1.0.",
		"required":    []string{"specversion", "id", "source", "type", "subject", "time", "data"},
		"properties": object{
			"specversion": object{"const": "1.0"},
			"id":          text("uuid", "The same each time that the event is sent."),
			"source":      object{"type": "string", "description": "The service."},
			"type":        object{"type": "string", "description": "The kind of event and its version."},
			"subject":     text("uuid", "The user concerned. Events of one subject come in their order."),
			"time":        text("date-time", "When it happened."),
			"traceparent": object{"type": "string", "description": "The trace that it belongs to, as in W3C Trace Context."},
			"data":        object{"type": "object"},
		},
	}
}
