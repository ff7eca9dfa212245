package mailbox

// Parse is tested on its own.
var Parse = parse
