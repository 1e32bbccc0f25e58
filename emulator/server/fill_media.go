package server

import "time"

// medium is a channel with the habits of the people who use it.
type medium struct {
	channel, kind string
	// weight is the share of the conversations outside and within opening hours.
	weight [2]float64
	// mails and phones mean that the customer has an email address or a phone number.
	// calls means that there is one message, without text. In a live conversation both
	// sides stay until it ends.
	mails, phones, calls, live bool
	outbound, abandoned        float64 // shares
	automatic                  float64 // share with an automatic reply
	rounds                     [2]int  // replies of the agent
	// pickup, answer, patience and closing are how long it takes until an agent takes
	// the conversation, the agent writes, the customer writes, and it is closed.
	pickup, answer, patience, closing period
}

// Opening hours of the live channels, in UTC.
const opens, closes = 7, 20

var media = []*medium{
	{
		channel: "Email", kind: "EmailConversation", weight: [2]float64{70, 44}, mails: true,
		outbound: 0.08, abandoned: 0.015, automatic: 0.55, rounds: [2]int{1, 4},
		pickup: period{5 * time.Minute, 12 * time.Hour}, answer: period{2 * time.Minute, 5 * time.Hour},
		patience: period{15 * time.Minute, 48 * time.Hour}, closing: period{time.Minute, 20 * time.Hour},
	},
	{
		channel: "ContactForm", kind: "ContactFormConversation", weight: [2]float64{20, 12}, mails: true,
		abandoned: 0.015, automatic: 0.7, rounds: [2]int{1, 3},
		pickup: period{5 * time.Minute, 12 * time.Hour}, answer: period{2 * time.Minute, 5 * time.Hour},
		patience: period{15 * time.Minute, 48 * time.Hour}, closing: period{time.Minute, 20 * time.Hour},
	},
	{
		channel: "WidgetChat", kind: "ChatConversation", weight: [2]float64{2, 20}, live: true,
		abandoned: 0.08, automatic: 0.4, rounds: [2]int{3, 7},
		pickup: period{5 * time.Second, 4 * time.Minute}, answer: period{12 * time.Second, 3 * time.Minute},
		patience: period{8 * time.Second, 3 * time.Minute}, closing: period{20 * time.Second, 10 * time.Minute},
	},
	{
		channel: "PstnPhone", kind: "PstnPhoneConversation", weight: [2]float64{0, 12}, phones: true, calls: true, live: true,
		outbound: 0.12, abandoned: 0.09,
		pickup: period{3 * time.Second, 5 * time.Minute}, closing: period{time.Minute, 25 * time.Minute},
	},
	{
		channel: "Messenger", kind: "MessengerConversation", weight: [2]float64{5, 6},
		abandoned: 0.02, automatic: 0.3, rounds: [2]int{2, 5},
		pickup: period{time.Minute, 5 * time.Hour}, answer: period{time.Minute, 3 * time.Hour},
		patience: period{time.Minute, 8 * time.Hour}, closing: period{5 * time.Minute, 10 * time.Hour},
	},
	{
		channel: "WhatsApp", kind: "WhatsAppConversation", weight: [2]float64{4, 5}, phones: true,
		outbound: 0.05, abandoned: 0.02, rounds: [2]int{2, 5},
		pickup: period{time.Minute, 5 * time.Hour}, answer: period{time.Minute, 3 * time.Hour},
		patience: period{time.Minute, 8 * time.Hour}, closing: period{5 * time.Minute, 10 * time.Hour},
	},
	{
		channel: "Sms", kind: "SmsConversation", weight: [2]float64{2, 2}, phones: true,
		outbound: 0.4, abandoned: 0.03, rounds: [2]int{1, 3},
		pickup: period{2 * time.Minute, 6 * time.Hour}, answer: period{2 * time.Minute, 3 * time.Hour},
		patience: period{2 * time.Minute, 10 * time.Hour}, closing: period{5 * time.Minute, 10 * time.Hour},
	},
}

// topic is what a conversation is about.
type topic struct {
	weight  float64
	subject string // with the number of the order
	queue   string
	reason  []string // of the attribute contact_reason
	tags    []string
	says    []string
}

var topics = []topic{
	{9, "Damaged item in order #%d", fillClaims, []string{"claim", "damaged"}, []string{"claim", "damaged-item"}, []string{
		"The lamp arrived broken. I attached a photo of the box.", "One of the glasses was smashed when I opened the parcel.",
		"The frame has a deep scratch on the front.",
	}},
	{6, "Missing item in order #%d", fillClaims, []string{"claim", "missing"}, []string{"claim", "missing-item"}, []string{
		"There was one cushion in the parcel, but I paid for two.", "The screws for the shelf were not in the box.",
	}},
	{4, "Wrong item in order #%d", fillClaims, []string{"claim"}, []string{"claim", "wrong-item"}, []string{
		"I ordered the blue one and got the green one.", "This is not the size that I ordered.",
	}},
	{3, "Warranty for order #%d", fillClaims, []string{"claim"}, []string{"claim", "warranty"}, []string{
		"The chair is half a year old and one leg is loose.", "The timer stopped working after three months.",
	}},
	{16, "Where is order #%d?", fillSupport, []string{"question"}, []string{"delivery"}, []string{
		"The tracking page has not changed for four days.", "When will my parcel arrive? I need it before Friday.",
		"The carrier says that it was delivered, but I have nothing.",
	}},
	{12, "Return of order #%d", fillReturns, []string{"question"}, []string{"return"}, []string{
		"I would like to send the jacket back. Where do I find the label?", "Can I return only one of the two items?",
	}},
	{9, "Refund for order #%d", fillReturns, []string{"question"}, []string{"refund"}, []string{
		"I sent the parcel back two weeks ago and have not got my money.", "The refund is lower than what I paid.",
	}},
	{14, "Question about a product", fillSupport, []string{"question"}, []string{"product"}, []string{
		"Is the table suitable for outdoors?", "Will the grey rug be in stock again?", "How do I wash the cover?",
	}},
	{9, "Change of order #%d", fillSupport, []string{"question"}, []string{"order-change"}, []string{
		"Can you change the delivery address? I moved last week.", "Please cancel the second item.",
	}},
	{7, "Invoice for order #%d", fillBilling, []string{"question"}, []string{"invoice"}, []string{
		"I need an invoice with our company's name.", "I was charged twice for the same order.",
	}},
	{5, "Discount code", fillSupport, []string{"question"}, []string{"discount"}, []string{
		"The code from your newsletter does not work.", "Can I use two codes for one order?",
	}},
	{4, "Login", fillSupport, []string{"question"}, []string{"account"}, []string{
		"I do not get the mail to reset my password.", "Please delete my account.",
	}},
	{2, "Complaint about order #%d", fillSupport, nil, []string{"complaint"}, []string{
		"This is the third time that I write to you. Nobody answers.", "I am very disappointed with the delivery.",
	}},
}

// What people write later in a conversation.
var (
	agentSays = []string{
		"Thank you for writing to us. I am looking into it.", "Could you tell me the number of your order, please?",
		"I am sorry about that. Would you prefer a new one or a refund?", "I have asked the warehouse and will write again as soon as I know more.",
		"The parcel is on its way and should arrive within two days.", "I have sent you a label for the return by mail.",
		"The money is on its way. It takes up to five days until you see it.", "I have changed the order as you asked.",
	}
	customerSays = []string{
		"Thank you for the quick answer.", "It is the one that I ordered last week.", "A new one would be best.",
		"Do you have any news?", "I have attached a photo.", "That is fine with me.", "Could you check it again, please?",
	}
	thanks        = []string{"Thank you!", "Great, thanks a lot.", "Perfect, that solved it."}
	returnsLater  = []string{"It happened again. Can you help me?", "I still have not got it.", "One more question about this."}
	agentNotes    = []string{"Called the warehouse, they check the shelf.", "The customer has ordered often, be generous.", "Waiting for the carrier.", "Refund approved by the team lead."}
	ratingRemarks = []string{"Fast and friendly.", "It took too long.", "Very helpful, thank you.", "My problem is not solved.", "Great service!"}
	languages     = []string{"en", "en", "en", "da", "da", "de", "sv"}
)
