-- Forgets a user's subscription.

unsubscribe(arg(), arg())
return 1
