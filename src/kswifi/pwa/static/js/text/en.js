// Every word the app says, in English: a key and its text a line, after the group of keys. {name} is filled in; " | "
// parts steps.
export default `
  back Back
  cancel Cancel
  close Close
  pause Pause
  resume Continue
  copied Copied
  copy Copy {what}
  left left
  used used
  of of {size}
  until Until {day}
  as_of As of {age}.

  nav.
    label Main
    home Home
    esim eSIM
    help Help
    settings You
    skip Skip to the content

  connection.
    wifi WiFi
    line Line on
    mobile Mobile data
    offline Offline
    unknown Online

  time.
    now just now
    moment under a minute
    ago {time} ago
    minutes {n} min
    hours {n} hours
    days {n} days

  size.
    unlimited Unlimited
    session {size} session
    a_session A session

  state.
    ordered Being prepared
    packaged Ready to download
    downloading Downloading
    downloaded On this phone
    transferring Moving to the eSIM
    stored Stored on the eSIM
    active Session Active
    paused Paused
    exhausted Finished
    expired Expired
    revoked Taken back
    failed Did not work

  home.
    title Your internet
    download Download Internet Session
    lead Download internet sessions on WiFi to use later offline
    empty No sessions yet
    under_way On the way
    stored Stored sessions
    recent Recent activity
    details Details

  paused.
    here paused

  stored.
    badge READY

  intent.
    badge WAITING FOR THE NETWORK
    title You asked for this.
    lead The network has not answered yet; it is sent as soon as you can be reached.

  meter.
    label {left} left of {all}
    used {size} used

  fact.
    time_left Time left
    pace At this pace
    lasts lasts to the end
    as_of As of

  offline.
    note You are offline. What you stored works all the same.

  finished.
    title Session finished: back to WiFi
    lead Find WiFi and download the next one.
    next Choose the next stored session, or find WiFi and download one.

  welcome.
    title WiFi now. Internet later.
    1 Download
    1.more On WiFi. A session is a few kilobytes.
    2 Store
    2.more It goes onto your eSIM, signed.
    3 Browse
    3.more Far from WiFi, until it is used up.

  choose.
    title Choose a session
    button Download Session
    allowance Free data
    left {left} left of {all}
    free Free • {days} days
    paid Unlimited • {days} days
    over More than is left of your free data
    parts Given in parts of {part}: the next comes as you use the last, while there is money for free data.
    pick Pick one of them.
    tiny {size}: only a few KB to download now
    not_wifi You are not on WiFi. Downloading now would spend the session you are using.
    offline You are offline. Find WiFi to download.
    ask I am on WiFi
    mobile You are on mobile data. Download all the same

  badge.
    free FREE
    unlimited UNLIMITED

  free.
    nothing A WiFi venue gave you a voucher? Its code is good for a free session.
    phone Here a free session needs a phone number that is yours.
    voucher Here a free session needs a voucher of a WiFi venue.
    phone_or_voucher Here a free session needs a phone number that is yours, or a voucher of a WiFi venue.
    verify_phone Verify my phone number
    redeem_voucher Type in a voucher
    verify_phone_or_redeem_voucher Phone number or voucher
    have I have a voucher

  voucher.
    title Voucher
    good The voucher of {venue} is yours: choose a session.

  ask.
    voucher Code of the voucher
    voucher.hint As printed, like 0003-7QK2-M9XT
    voucher.button Use Voucher
    number Phone number
    number.hint Six digits are sent to it.
    number.button Send Me a Code
    code The code
    code.hint Six digits, good for ten minutes and five tries
    code.button Verify

  phone.
    title Your phone number
    verified Your phone number is verified.
    sending The code goes out to {number}…
    sent The code was sent to {number}.
    unknown Nobody knows whether the code went out to {number}. If none comes, ask for another.
    refused No message goes to this number.
    again Ask for another code

  pass.
    title Unlimited pass
    lead As many sessions as you like, without a limit of gigabytes.
    days {days} days
    until Runs until {day}
    buy Buy for {price}
    extend Extend for {price}
    see First you see what it gives, then you pay.
    point.sessions {days} days from the moment it is paid, to the end of the last day.
    point.no_limit No limit on what you use.
    point.fair_use Fair use: {size} in all. The network ends it there.
    point.end Every session downloaded with it ends with it. Buying again adds days.
    point.refund Your money back while nothing of it is used.

  pay.
    sandbox SANDBOX
    sandbox_lead This is a rehearsal: no money moves.
    looking Looking at your payment…
    waits The payment is not settled yet. This page looks again by itself.
    go Pay {price}
    again Start again
    receipt Receipt
    pdf Receipt as PDF
    reference Number {reference}
    list Payments
    refund Ask for the money back
    refund_lead It goes back if nothing of the pass was used.
    state.intended Opening the checkout…
    state.pending Waiting for your payment
    state.settled Paid. Your pass runs.
    state.failed Not paid
    state.lapsed Not paid in time
    state.refund_asked Looking whether it was used…
    state.refunding The money is on its way back
    state.refunded The money went back
    state.refund_refused The money will be sent back by hand

  wait.
    lead The free data is used up for now. We can tell you when there is some again.
    join Tell me when there is
    joined You are on the waiting list: you will be told.

  progress.
    downloading Downloading {size} session…
    downloaded {size} session downloaded
    right A {size} right: {octets} to fetch
    octets {received} of {total}
    transferring Transferring to eSIM…
    transferred Transferred to eSIM
    transfer_lead The card stores the signed record and proves that it has it.
    proved The card has proved that it holds this session.
    ready Session ready for activation
    install Your session is on this phone. Install its eSIM to go on.

  seal.
    ok Signature checked on this phone
    bad This session cannot be trusted
    key key {kid}

  activate.
    title Ready when you are
    lead No WiFi needed from here on.
    button Activate Session
    install Install the eSIM
    none Nothing to activate yet
    system Your phone's system
    offline Works without a network: your phone's line finds ours.

  active.
    title Session Active
    lead The network said so {age}.

  line.
    on The line is on.
    on_lead The session becomes active with the first data that flows.
    used_up Your last session is finished.
    starts_stored This one starts by itself once it is on the eSIM. If you got it before the last one finished, activate it.
    needs_activation Activate this one before you leave the WiFi.

  system.
    android Android
    ios iPhone

  how.
    title Switch the line on
    android Open Settings, then Network & internet, then SIMs | Choose KSWiFi and turn on Use SIM | Set Mobile data to KSWiFi
    ios Open Settings, then Mobile Service | Choose KSWiFi and turn on Turn On This Line | Set Mobile Data to KSWiFi, and turn on Data Roaming
    offline These steps are kept on your phone: they are here without a network too.

  install.
    title Install on this phone
    lead One tap, and your phone asks whether to add KSWiFi.
    one_tap Install on {system}
    wifi Installing needs WiFi, switching on does not.
    qr Or scan from another screen
    qr_lead Open this page on a second device and scan it with this phone's camera.
    qr_alt QR code that installs the eSIM
    manual Set up by hand
    smdp_address SM-DP+ address
    activation_code Activation code
    apn APN
    user_name User name
    password Password
    honest Phones take eSIMs only from certified operators. If yours refuses this one, the session stays safe here and can be given back.

  session.
    unknown There is no such session here
    waits The next part of this session comes by itself, as soon as there is money for free data again.
    pause Pause Session
    continue Continue Session
    give_back Give it back
    seen What happened
    terms Terms

  statement.
    title History
    hour By hour
    day By day
    when When
    dispute Something wrong with it?
    dispute_lead This is what the network reported, hour by hour: each figure can be checked. Write what is wrong, and it is looked into.
    save Save the statement

  dispute.
    all All of it
    words What is wrong?
    send Send it
    said You wrote, {at}:

  receipt.
    title Receipt
    size Allowance
    used Used
    ordered Ordered
    until Until
    proof Proof of storage
    iccid eSIM (ICCID)
    key Signed with
    id Number
    units 1 GB is 1,000,000,000 bytes, counted both ways.

  proof.
    por receipt from the card
    install_result signed by the card
    provider_status told by the provider

  esim.
    title Sessions on this eSIM
    lead Used from the top down.
    empty Nothing is stored now
    up Up: {what}
    down Down: {what}
    place Place {n}, record {record}
    waits Will be written at the next WiFi
    off This eSIM is off. Use it under SIMs in the phone's settings, and the card learns what waits.
    next Continue with the next
    next_hint When one is finished, without asking
    lab Open the lab phone
    ended Over

  account.
    in Welcome back
    in.lead Sign in to reach your sessions.
    in.button Sign In
    new Make your account
    new.lead A phone number or an email address is all.
    new.button Sign Up
    recover Recover your account
    recover.lead With the recovery code you wrote down.
    recover.button Set New Password
    sign_in Sign in
    sign_up Make an account
    forgot Forgot your password?
    show Show what I type
    offline This needs a network.
    in.passkey Sign In with a Passkey
    new.passkey Sign Up with a Passkey

  field.
    identifier Phone number or email
    identifier.hint Like 0803 123 4567
    password Password
    password.hint As you chose it
    password.new 8 characters or more. Three words are good.
    new_password New password
    new_password.hint 8 characters or more. Three words are good.
    recovery_code Recovery code
    recovery_code.hint Six groups of four

  recovery.
    title Write this down
    lead Your recovery code is the only way back in if you forget your password.
    once It is shown this once.
    done I wrote it down

  passkey.
    why Your fingerprint, face or screen lock opens it. No password to remember.
    title Passkeys
    lead Sign in with your fingerprint, face or screen lock.
    add Add a passkey
    added The passkey is added.
    one Passkey
    remove Remove {name}
    removed The passkey is removed.
    used Used {age}
    made Made {at}
    have This device has a passkey already.

  data.
    delete_passkey Delete with a passkey
    title Your data
    lead Take all of it away as a file, or end it.
    save Save my data
    delete Delete my account
    sure Delete your account for good?
    sure_lead What is left of your sessions is lost, and every device is signed out. What was used is kept for the books, without your name.
    keep Keep it
    gone Your account is deleted.

  settings.
    title You
    theme Look
    language Language
    low_data Low-data mode
    low_data_hint Asks once a minute instead of listening all the time
    alerts Alerts
    alerts_hint At 50, 80, 95 and 100 %, and before a session ends
    alerts_denied Your browser does not let KSWiFi show notifications.
    insecure This page was opened without HTTPS. Here it cannot be installed, work offline or check a session's signature, so nothing is downloaded here.
    push Also when the app is closed
    push_hint Your browser's notifications. Off unless you say so.
    sign_out Sign out
    sure Sign out of this device?
    sure_lead Everything of yours is wiped from it. What is on the eSIM stays there.
    sure_offline You are offline: the server learns it later, by itself.
    stay Stay signed in

  theme.
    system Auto
    dark Dark
    light Light

  language.
    system Auto

  push.
    ask Shall this phone tell you before it runs out?
    yes Tell me
    on You will be told, also when the app is closed.

  about.
    title What is stored where
    lead KSWiFi asks nobody else for anything: no trackers, no other sites.
    device This device
    device.what The app, your sessions and their signed packages, what you asked for offline.
    card The eSIM
    card.what The signed record of each session, and the keys of the line.
    server KSWiFi
    server.what Your phone number or email, and how much of each session is used. Never what you look at.
    held {size} on this device

  alert.
    share {percent} % of your {size} session is used
    ends Your {size} session ends {day}
    finished Session finished: back to WiFi

  update.
    ready A new version is here.
    reload Take it

  problem.
    unexpected Something went wrong here. Try again.
    offline No answer from the network. It goes on by itself when there is one.
    no_lab_phone The lab phone does not answer.
    card_refused The eSIM did not take it yet. It is tried again.
    es9_unreachable The profile server does not answer yet.
    payments_not_set_up Payments are not set up yet, so this one cannot be had. Nothing was taken.
    free_allowance_used_up More than is left of your free data
    device_allowance_used_up This device has had its free data
    card_allowance_used_up This eSIM has had its free data
    too_much_unspent Use some of what you hold first
    free_budget_gone The free data is used up for now
    free_data_stopped Free data is stopped for now
    free_data_cooling_down A little later: you have just had one
    phone_not_verified Your phone number has to be verified first
    voucher_needed A voucher of a WiFi venue is needed first
    phone_or_voucher_needed A verified phone number or a voucher is needed first
    kyc_level_too_low The operator has to know who you are first
    free_offer_not_given This one is not given free here
    unknown_voucher This is no voucher of ours: compare it sign by sign.
    voucher_used This voucher was used already: each is good once.
    voucher_expired This voucher has expired: ask at the counter for another.
    voucher_revoked This voucher was called back: ask at the counter for another.
    too_many_attempts Too many tries: wait a quarter of an hour.
    not_a_phone_number A code cannot be sent to this: is it a mobile number?
    phone_code_wrong This is not the code. Tries left: {tries_left}
    phone_code_over This code does not hold any more: ask for another.
    phone_verified_elsewhere Another account has verified this number.
    phone_verification_not_set_up No messages are sent here yet.
    payment_required This one needs a pass.
    payment_not_opened The checkout could not be opened. Nothing was taken: try again.
    too_many_open_payments You have several payments open: finish one of them first.
    nothing_to_deliver There is nothing to download for a pass now, so none is sold.
    not_refundable This one cannot go back: something of it was used.
    not_on_wifi You are not on WiFi: downloading now would spend the session you are using.
    not_a_package This is not a session.
    package_version_unknown This session needs a newer app.
    package_cut_short A part of the session is missing: download it again.
    package_surplus_octets The session was changed: there is something in it that does not belong there.
    package_manifest_damaged The session was changed after it was signed. It was refused.
    package_chunk_damaged A part of the session was changed. It was refused.
    package_unknown_key The session is not signed by this KSWiFi. It was refused.
    package_for_another_card This session is for another eSIM.
    package_for_another_session This is another session than the one asked for.
    package_expired The time of this session is over.
    internal_error Something went wrong on our side.
    passkey_refused This passkey opens no account here.
    passkey_challenge_over That took too long. Try again.

  help.
    title Help
    search Search
    found {n} answers
    none No answer has these words.
    what What is an internet session?
    what.text The right to so much internet until such a day. You download the right on WiFi, it is stored on your eSIM, and it is used when you browse without WiFi.
    download Why is the download so small?
    download.text What you fetch is the signed right to the gigabytes, not the gigabytes themselves: a few kilobytes. The gigabytes flow when you browse.
    activate How do I switch it on without WiFi?
    activate.text Open the session and follow the steps for your phone: switch the KSWiFi line on and use it for mobile data.
    phone Does it work on every phone?
    phone.text You need a phone with eSIM. Phones take profiles only from certified operators, so with a test set-up of KSWiFi your phone may refuse. The lab phone shows all of it.
    metered What is counted?
    metered.text Every byte both ways. 1 GB is 1,000,000,000 bytes. What you see is what the network reported, with the time of that report beside it.
    end What happens at the end?
    end.text The network cuts the line at the last byte. KSWiFi itself stays reachable where the network can do that, so that you can choose the next stored session.
    pause Can I pause?
    pause.text Yes, in the session. The line is held until you continue. The last day stays the same.
    offline What works offline?
    offline.text Seeing your sessions and what is left, with its age; checking their signatures; the steps to switch the line on; this help. What you ask for is kept and sent later.
    several Can I keep several sessions?
    several.text Yes, up to eight on an eSIM. Under eSIM you change their order, and choose whether the next one follows by itself. The card learns it on WiFi.
    pass How do I buy the pass?
    pass.text Choose Unlimited, see what it gives, and pay at the checkout. Receipts are kept there.
    alerts Am I told before it runs out?
    alerts.text At 50, 80 and 95 %, at the end, and a day before it ends. Under You: alerts, also when the app is closed.
    lost I lost my phone or password
    lost.text Sign in elsewhere with your recovery code and a new password: every other device is signed out.
    passkey What is a passkey?
    passkey.text Your fingerprint, face or screen lock signs you in, without a password. Add one under You.
    trust How do I know a session is real?
    trust.text It is signed with KSWiFi's key, and your phone checks the signature itself. A changed session is refused.
    data How do I save data?
    data.text Low-data mode under You makes the app ask less often. The app itself is loaded once.
`;
