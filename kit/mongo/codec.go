package mongo

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// values says how values are kept.
var values = registry()

func registry() *bson.Registry {
	r := bson.NewRegistry()
	id, at := reflect.TypeFor[uuid.UUID](), reflect.TypeFor[time.Time]()
	r.RegisterTypeEncoder(id, bson.ValueEncoderFunc(func(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
		id := v.Interface().(uuid.UUID)
		return w.WriteBinaryWithSubtype(id[:], bson.TypeBinaryUUID)
	}))
	r.RegisterTypeDecoder(id, bson.ValueDecoderFunc(func(_ bson.DecodeContext, r bson.ValueReader, v reflect.Value) error {
		text, kind, err := r.ReadBinary()
		if err != nil {
			return err
		}
		if kind != bson.TypeBinaryUUID {
			return fmt.Errorf("binary of kind %d is no UUID", kind)
		}
		id, err := uuid.FromBytes(text)
		v.Set(reflect.ValueOf(id))
		return err
	}))
	r.RegisterTypeEncoder(at, bson.ValueEncoderFunc(func(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
		return w.WriteInt64(Micros(v.Interface().(time.Time)))
	}))
	r.RegisterTypeDecoder(at, bson.ValueDecoderFunc(func(_ bson.DecodeContext, r bson.ValueReader, v reflect.Value) error {
		read, unit := r.ReadInt64, int64(1)
		if r.Type() == bson.TypeDateTime { // GridFS writes these
			read, unit = r.ReadDateTime, 1000
		}
		n, err := read()
		v.Set(reflect.ValueOf(Time(n * unit)))
		return err
	}))
	return r
}

// Micros is a time as it is stored: microseconds since 1970 in UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the time that Micros stored.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
