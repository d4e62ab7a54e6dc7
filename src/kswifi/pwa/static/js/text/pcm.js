// Every word the app says, in Nigerian Pidgin (Naijá).
export default `
  back Go back
  cancel Cancel am
  close Close
  pause Hold am
  resume Continue
  copied E don copy
  copy Copy {what}
  left remain
  used don use
  of out of {size}
  until Till {day}
  as_of As e be {age}.

  nav.
    label Main
    home Home
    esim eSIM
    help Help
    settings You
    skip Jump go the main tin

  connection.
    wifi WiFi
    line Line dey on
    mobile Mobile data
    offline No network
    unknown Online

  time.
    now now now
    moment no reach one minute
    ago {time} don pass
    minutes {n} min
    hours {n} hours
    days {n} days

  size.
    unlimited No limit
    session {size} session
    a_session One session

  state.
    ordered We dey prepare am
    packaged Ready to download
    downloading E dey download
    downloaded E don enter this phone
    transferring E dey enter eSIM
    stored E dey inside eSIM
    active Session dey active
    paused E dey on hold
    exhausted E don finish
    expired Time don pass
    revoked Dem don take am back
    failed E no work

  home.
    title Your internet
    download Download Internet Session
    lead Download internet session for WiFi, use am later when WiFi no dey
    empty No session yet
    under_way E dey come
    stored Session wey you keep
    recent Wetin happen
    details See everything

  paused.
    here on hold

  stored.
    badge READY

  intent.
    badge DEY WAIT FOR NETWORK
    title You don ask for am.
    lead Network never answer; we go send am once you reachable.

  meter.
    label {left} remain out of {all}
    used You don use {size}

  fact.
    time_left Time wey remain
    pace As you dey use am
    lasts e go reach the end
    as_of As e be

  offline.
    note Network no dey. Wetin you keep still dey work.

  finished.
    title Session don finish: go back to WiFi
    lead Find WiFi make you download another one.
    next Choose the next one wey you keep, or find WiFi download another.

  welcome.
    title WiFi now. Internet later.
    1 Download
    1.more For WiFi. Session na small kilobytes.
    2 Keep am
    2.more E go enter your eSIM, with signature.
    3 Browse
    3.more Far from WiFi, till e finish.

  choose.
    title Choose your session
    button Download Session
    allowance Free data
    left {left} remain out of {all}
    free Free • {days} days
    paid No limit • {days} days
    over E pass the free data wey remain
    parts We go give am part by part, {part} each: as you use one, the next one go come, as long as money dey for free data.
    pick Pick one.
    tiny {size}: na only few KB you go download now
    not_wifi You no dey for WiFi. If you download now e go chop the session wey you dey use.
    offline Network no dey. Find WiFi to download.
    ask I dey for WiFi
    mobile Na mobile data you dey use. Download am still

  badge.
    free FREE
    unlimited NO LIMIT

  free.
    nothing WiFi place give you voucher? The code fit bring one free session.
    phone For here free session need phone number wey be your own.
    voucher For here free session need voucher from WiFi place.
    phone_or_voucher For here free session need phone number wey be your own, or voucher from WiFi place.
    verify_phone Verify my phone number
    redeem_voucher Put voucher
    verify_phone_or_redeem_voucher Phone number or voucher
    have I get voucher

  voucher.
    title Voucher
    good Voucher from {venue} na your own: choose session.

  ask.
    voucher Voucher code
    voucher.hint As dem print am, like 0003-7QK2-M9XT
    voucher.button Use Voucher
    number Phone number
    number.hint We go send six numbers go there.
    number.button Send Me Code
    code The code
    code.hint Six numbers, for ten minutes and five tries
    code.button Verify

  phone.
    title Your phone number
    verified We don verify your phone number.
    sending The code dey go {number}…
    sent We don send the code go {number}.
    unknown Nobody know whether the code reach {number}. If e no come, ask for another.
    refused Message no fit reach this number.
    again Ask for another code

  pass.
    title Unlimited pass
    lead As many sessions as you want, no gigabyte limit.
    days {days} days
    until E go run till {day}
    buy Buy am for {price}
    extend Add days for {price}
    see First you go see wetin e get, then you pay.
    point.sessions {days} days from when you pay, till the last day end.
    point.no_limit No limit for wetin you use.
    point.fair_use Fair use: {size} for everything. Network go stop am there.
    point.end Every session wey you download with am go end with am. Buy again, days go add.
    point.refund You go collect your money back if you never use anything.

  pay.
    sandbox SANDBOX
    sandbox_lead Na rehearsal be this: no money dey move.
    looking We dey look your payment…
    waits The payment never settle. This page dey look again by itself.
    go Pay {price}
    again Start again
    receipt Receipt
    pdf Receipt for PDF
    reference Number {reference}
    list Payments
    refund Ask for your money back
    refund_lead E go come back if you never use the pass.
    state.intended We dey open the checkout…
    state.pending We dey wait for your payment
    state.settled You don pay. Your pass dey run.
    state.failed You never pay
    state.lapsed Time don pass, you no pay
    state.refund_asked We dey check whether you use am…
    state.refunding The money dey come back
    state.refunded The money don go back
    state.refund_refused Somebody go send the money back by hand

  wait.
    lead Free data don finish for now. We fit tell you when e come again.
    join Tell me when e dey
    joined You dey the waiting list: we go tell you.

  progress.
    downloading {size} session dey download…
    downloaded {size} session don download
    right Right to {size}: {octets} to fetch
    octets {received} out of {total}
    transferring E dey enter eSIM…
    transferred E don enter eSIM
    transfer_lead The card go keep the signed record and prove say e get am.
    proved The card don prove say e get this session.
    ready Session ready make you activate am
    install Your session don dey this phone. Install the eSIM to continue.

  seal.
    ok This phone don check the signature
    bad No trust this session
    key key {kid}

  activate.
    title E ready any time
    lead From here you no need WiFi.
    button Activate Session
    install Install the eSIM
    none Nothing dey to activate yet
    system Your phone type
    offline E dey work without network: your line go find our own.

  active.
    title Session dey active
    lead Na network talk am {age}.

  line.
    on Line dey on.
    on_lead Session go active as soon as data begin flow.
    used_up Your last session don finish.
    starts_stored This one go start by itself once e dey the eSIM. If you get am before the last one finish, activate am.
    needs_activation Activate this one before you comot from the WiFi.

  system.
    android Android
    ios iPhone

  how.
    title On the line
    android Open Settings, then Network & internet, then SIMs | Choose KSWiFi, on Use SIM | Set Mobile data to KSWiFi
    ios Open Settings, then Mobile Service | Choose KSWiFi, on Turn On This Line | Set Mobile Data to KSWiFi, and on Data Roaming
    offline These steps dey inside your phone: you go see am even without network.

  install.
    title Install for this phone
    lead One tap, your phone go ask whether make e add KSWiFi.
    one_tap Install for {system}
    wifi To install need WiFi, to on am no need.
    qr Or scan am from another screen
    qr_lead Open this page for another device, scan am with this phone camera.
    qr_alt QR code wey dey install the eSIM
    manual Set am up by hand
    smdp_address SM-DP+ address
    activation_code Activation code
    apn APN
    user_name User name
    password Password
    honest Phone dey take eSIM only from certified operator. If your own refuse, the session safe here and you fit return am.

  session.
    unknown That session no dey here
    waits The next part of this session go come by itself, once money dey for free data again.
    pause Hold Session
    continue Continue Session
    give_back Return am
    seen Wetin happen
    terms Terms

  statement.
    title How you use am
    hour By hour
    day By day
    when When
    dispute Something no correct?
    dispute_lead Na wetin network report be this, hour by hour: dem fit check every figure. Write wetin no correct, we go look am.
    save Save the statement

  dispute.
    all Everything
    words Wetin no correct?
    send Send am
    said You write, {at}:

  receipt.
    title Receipt
    size How much
    used You don use
    ordered You order am
    until Till
    proof Proof say e dey card
    iccid eSIM (ICCID)
    key Who sign am
    id Number
    units 1 GB na 1,000,000,000 bytes, we dey count go and come.

  proof.
    por receipt from the card
    install_result the card sign am
    provider_status the provider talk am

  esim.
    title Sessions for this eSIM
    lead You go use am from top go down.
    empty Nothing dey inside now
    up Up: {what}
    down Down: {what}
    place Place {n}, record {record}
    waits We go write am when WiFi dey
    off This eSIM dey off. Use am under SIMs for phone settings, then card go know wetin dey wait.
    next Continue with the next
    next_hint When one finish, e no go ask
    lab Open the lab phone
    ended E don end

  account.
    in You don come back
    in.lead Sign in make you see your sessions.
    in.button Sign In
    new Open your account
    new.lead Na only phone number or email.
    new.button Sign Up
    recover Get your account back
    recover.lead With the recovery code wey you write down.
    recover.button Set New Password
    sign_in Sign in
    sign_up Open account
    forgot You forget password?
    show Show wetin I dey type
    offline This one need network.
    in.passkey Sign In with Passkey
    new.passkey Sign Up with Passkey

  field.
    identifier Phone number or email
    identifier.hint Like 0803 123 4567
    password Password
    password.hint The one wey you choose
    password.new 8 letters or more. Three words good.
    new_password New password
    new_password.hint 8 letters or more. Three words good.
    recovery_code Recovery code
    recovery_code.hint Six groups of four

  recovery.
    title Write this one down
    lead If you forget password, na only this recovery code go carry you enter.
    once We dey show am only this once.
    done I don write am

  passkey.
    why Your finger, face or screen lock go open am. No password to remember.
    title Passkeys
    lead Use your finger, face or screen lock enter.
    add Add passkey
    added Passkey don enter.
    one Passkey
    remove Comot {name}
    removed Passkey don comot.
    used You use am {age}
    made You make am {at}
    have This device get passkey already.

  data.
    delete_passkey Delete with passkey
    title Your data
    lead Carry everything go as file, or end am.
    save Save my data
    delete Delete my account
    sure You wan delete your account forever?
    sure_lead Wetin remain for your sessions go lost, and every device go sign out. Wetin you don use go remain for our books, without your name.
    keep Leave am
    gone Your account don delete.

  settings.
    title You
    theme How e look
    language Language
    low_data Save data
    low_data_hint E go ask once every minute, e no go dey listen all the time
    alerts Alerts
    alerts_hint For 50, 80, 95 and 100 %, and before session end
    alerts_denied Your browser no gree make KSWiFi show notification.
    insecure This page open without HTTPS. For here e no fit install, work offline or check session signature, so nothing go download.
    push Even when app close
    push_hint Your browser notification. E dey off till you talk.
    sign_out Sign out
    sure You wan sign out for this device?
    sure_lead We go wipe everything wey be your own. Wetin dey eSIM go remain.
    sure_offline Network no dey: the server go know later by itself.
    stay Make I stay

  theme.
    system Auto
    dark Dark
    light Light

  language.
    system Auto

  push.
    ask Make this phone tell you before e finish?
    yes Tell me
    on We go tell you, even when app close.

  about.
    title Wetin dey where
    lead KSWiFi no dey ask anybody anything: no tracker, no other site.
    device This device
    device.what The app, your sessions with their signed package, and wetin you ask for when network no dey.
    card The eSIM
    card.what The signed record of each session, and the keys of the line.
    server KSWiFi
    server.what Your phone number or email, and how much you don use. Never wetin you dey look.
    held {size} dey this device

  alert.
    share You don use {percent} % of your {size} session
    ends Your {size} session go end {day}
    finished Session don finish: go back to WiFi

  update.
    ready New version don land.
    reload Take am

  problem.
    unexpected Something spoil here. Try again.
    offline Network no answer. E go continue by itself when e come back.
    no_lab_phone The lab phone no answer.
    card_refused The eSIM never collect am yet. We go try again.
    es9_unreachable The profile server never answer yet.
    payments_not_set_up Payment never dey, so you no fit get this one yet. We no take anything.
    free_allowance_used_up E pass wetin remain for your free data
    device_allowance_used_up This device don collect im free data
    card_allowance_used_up This eSIM don collect im free data
    too_much_unspent Use some of wetin you get first
    free_budget_gone Free data don finish for now
    free_data_stopped Free data dey on hold for now
    free_data_cooling_down Small time: you just collect one
    phone_not_verified Verify your phone number first
    voucher_needed You need voucher from WiFi place first
    phone_or_voucher_needed You need verified phone number or voucher first
    kyc_level_too_low The operator must know who you be first
    free_offer_not_given Dem no dey give this one free for here
    unknown_voucher No be our voucher be this: check am one by one.
    voucher_used Dem don use this voucher: na one time each.
    voucher_expired Time of this voucher don pass: ask for another for counter.
    voucher_revoked Dem don call this voucher back: ask for another for counter.
    too_many_attempts You don try too much: wait fifteen minutes.
    not_a_phone_number Code no fit go there: na mobile number be this?
    phone_code_wrong No be the code be this. Tries wey remain: {tries_left}
    phone_code_over This code no good again: ask for another.
    phone_verified_elsewhere Another account don verify this number.
    phone_verification_not_set_up Message never dey go out from here.
    payment_required This one need pass.
    payment_not_opened The checkout no gree open. We no take anything: try again.
    too_many_open_payments You get plenty payment wey open: finish one first.
    nothing_to_deliver Nothing dey to download for pass now, so we no dey sell.
    not_refundable This one no fit go back: you don use something.
    not_on_wifi You no dey for WiFi: if you download now e go chop the session wey you dey use.
    not_a_package This one no be session.
    package_version_unknown This session need newer app.
    package_cut_short Part of the session no dey: download am again.
    package_surplus_octets Dem don change the session: something wey no suppose dey dey inside.
    package_manifest_damaged Dem change the session after we sign am. We no gree take am.
    package_chunk_damaged Dem change part of the session. We no gree take am.
    package_unknown_key No be this KSWiFi sign the session. We no gree take am.
    package_for_another_card This session na for another eSIM.
    package_for_another_session No be the session wey we ask for be this.
    package_expired Time of this session don pass.
    internal_error Something spoil for our side.
    passkey_refused This passkey no open any account here.
    passkey_challenge_over E don tay. Try again.

  help.
    title Help
    search Search
    found {n} answers
    none No answer get these words.
    what Wetin be internet session?
    what.text Na right to some internet till one day. You download the right for WiFi, e go stay inside your eSIM, you go use am when WiFi no dey.
    download Why the download small like this?
    download.text Wetin you fetch na the signed right to the gigabytes, no be the gigabytes: na few kilobytes. The gigabytes dey flow when you browse.
    activate How I go on am without WiFi?
    activate.text Open the session, follow the steps for your phone: on the KSWiFi line, use am for mobile data.
    phone E dey work for every phone?
    phone.text Your phone must get eSIM. Phone dey take profile only from certified operator, so with test set-up your phone fit refuse. The lab phone dey show everything.
    metered Wetin una dey count?
    metered.text Every byte, go and come. 1 GB na 1,000,000,000 bytes. Wetin you see na wetin network report, with the time.
    end Wetin go happen for the end?
    end.text Network go cut the line for the last byte. KSWiFi itself go still open where network fit do am, make you choose the next one.
    pause I fit hold am?
    pause.text Yes, inside the session. Line go wait till you continue. The last day no go change.
    offline Wetin dey work without network?
    offline.text To see your sessions and wetin remain, with how old the news be; to check signature; the steps to on the line; this help. Wetin you ask for, we go keep am send later.
    several I fit keep plenty sessions?
    several.text Yes, reach eight for one eSIM. For eSIM you go change dem order, and choose whether the next one go follow by itself. Card go know for WiFi.
    pass How I go buy the pass?
    pass.text Choose No limit, see wetin e get, pay for the checkout. Receipt dey there.
    alerts Una go tell me before e finish?
    alerts.text For 50, 80 and 95 %, when e finish, and one day before e end. For inside You: alerts, even when app close.
    lost My phone or password don lost
    lost.text Sign in for another place with your recovery code and new password: every other device go sign out.
    passkey Wetin be passkey?
    passkey.text Your finger, face or screen lock go sign you in, no password. Add am for inside You.
    trust How I go know say session real?
    trust.text KSWiFi key sign am, and your phone dey check the signature by itself. If dem change am, we no go take am.
    data How I go save data?
    data.text Save data for inside You go make the app ask small. The app load only once.
`;
