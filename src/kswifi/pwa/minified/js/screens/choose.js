/*f5044a1294f9b75acaabdfe4d0993f1e5ff9355f11dc94c3f10cc96b5c4602bd*/
import{change as te,Problem as se,read as oe}from"../api.js";import{now as N}from"../clock.js";import*as H from"../db.js";import{formatNaira as K,formatOctets as I,lastDay as ne,sizeName as ae,when as Y}from"../format.js";import{t as e}from"../i18n.js";import{SessionManager as S,trustedKeys as ie}from"../road.js";import{useEffect as ce,useState as d}from"../state.js";import{connection as le,free as re,offers as m,ordering as de,pass as v,phone as $e,words as A}from"../store.js";import{Heading as fe,html as o,Icon as h,Insecure as ue,Note as b,Size as pe}from"../ui.js";function be(s){const a=new Date(new Date(N()).setHours(24,0,0,0)).getTime()+s.valid_days*864e5,n=v.value?.active&&v.value.ends_at?Date.parse(v.value.ends_at):1/0;return ne(Math.min(a,n))}const me=s=>A(new se(409,s.code,s.words,s.facts));function he(s){const a=c=>`${new Date(c).toISOString().replace(/[-:]/g,"").slice(0,15)}Z`,n=["BEGIN:VCALENDAR","VERSION:2.0","PRODID:-//KSWiFi//app//EN","BEGIN:VEVENT",`UID:free-data-${s}@kswifi`,`DTSTAMP:${a(N())}`,`DTSTART:${a(s)}`,`SUMMARY:${e("remind.event")}`,`URL:${location.origin}/#/choose`,"BEGIN:VALARM","ACTION:DISPLAY","TRIGGER:PT0S",`DESCRIPTION:${e("remind.event")}`,"END:VALARM","END:VEVENT","END:VCALENDAR"];return`data:text/calendar,${encodeURIComponent(n.join(`\r
`))}`}function we({offer:s,chosen:a,choose:n,over:c}){const $=s.price_kobo===0;return o`<label class="pick"><input
type="radio"
name="offer"
value=${s.id}
checked=${a}
disabled=${!!c}
onChange=${n}
aria-label=${s.title}
aria-describedby=${`about-${s.id}`}
/><span class="pass"><span class="row between"><span class="grow"><${pe} octets=${s.allowance_octets} /></span><span class=${`badge ${$?"line":""}`}>${$?e("badge.free"):e("badge.unlimited")}</span><span class="tick"><${h} name="check" /></span></span><span class="small soft" id=${`about-${s.id}`}>${$?"":`${K(s.price_kobo)} · `}
${c||e("until",{day:be(s)})}</span></span></label>`}const C=({title:s,offers:a,chosen:n,choose:c,over:$})=>a.length>0&&o`<fieldset class="stack"><legend style="margin-bottom:.75rem"><h2>${s}</h2></legend>${a.map(r=>o`<${we}
key=${r.id}
offer=${r}
chosen=${n===r.id}
choose=${()=>c(r.id)}
over=${$(r)}
/>`)}</fieldset>`,ke=({keep:s})=>o`<${b} icon="chip">${e("new_esim.next")}<button class="btn plain inline" onClick=${()=>H.remove("kv","new_esim").then(s)}>${e("new_esim.undo")}</button><//>`;function ve(){const s=re.value,a=s?.left_octets??1/0,n=!!v.value?.active,[c,$]=d({}),[r,F]=d(!1),[R,W]=d(0),T=t=>{F(t.waiting),W(t.tranche_octets),$(Object.fromEntries(t.offers.filter(l=>l.refusal).map(l=>[l.offer_id,l.refusal])))},[Z,O]=d(!1);ce(()=>{oe("/api/v1/free-data").then(T,()=>{}),ie().catch(()=>{}),H.get("kv","new_esim").then(O)},[]);const f=t=>{if(n||t.price_kobo>0)return"";const l=c[t.id];return l?me(l):(t.allowance_octets??0)>a?e("choose.over"):""},P=m.value.filter(t=>t.price_kobo===0&&!f(t)),_=Object.entries(c),V=_.find(([,t])=>t.do==="join_waiting_list"),g=_.find(([,t])=>/verify|redeem/.test(t.do))?.[1].do,j=_.map(([,t])=>Date.parse(String(t.facts.wait_until??""))).filter(t=>t>N()),w=!P.length&&j.length?Math.min(...j):null,[q,y]=d(""),J=n?m.value.find(t=>t.price_kobo>0):void 0,k=q||((J??P[0])?.id??""),[B,E]=d(!1),[Q,M]=d(!1),[L,u]=d(""),i=m.value.find(t=>t.id===k),p=le.value,G=de.value,X=!!(i&&i.price_kobo>0&&!n),ee=t=>te("/api/v1/free-data/waiting",{offer_id:t}).then(T,l=>u(A(l)));async function x(){if(!i)return u(e("choose.pick"));if(f(i))return u(f(i));if($e.value&&p!=="wifi")return u(e(p==="offline"?"choose.offline":"choose.not_wifi"));if(!B&&(p==="unknown"||p==="mobile"))return E(!0);E(!1),M(!0),u("");try{const t=await S.startSessionDownload(i.allowance_octets);t&&S.showDownloadProgress(t.session_id)}catch(t){u(A(t))}M(!1)}const U=m.value.filter(t=>t.price_kobo===0),D=m.value.filter(t=>t.price_kobo>0),z=e("choose.paid",{days:D[0]?.valid_days??0});return o`
<${fe} title=${e("choose.title")} lead=${e("home.lead")} />${s&&o`<div class="card"><div class="row between wrap"><b>${e("choose.allowance")}</b><span class="num">${e("choose.left",{left:I(a),all:I(s.octets)})}</span></div><div class="gauge" aria-hidden="true"><i style=${{width:`${a/s.octets*100}%`}}></i></div></div>`}
${Z&&o`<${ke} keep=${()=>O(!1)} />`}
${n&&o`<${C} title=${z} offers=${D} chosen=${k} choose=${y} over=${f} />`}<${C} title=${e("choose.free",{days:U[0]?.valid_days??0})} offers=${U} chosen=${k} choose=${y} over=${f} />${R>0&&o`<p class="small soft">${e("choose.parts",{part:I(R)})}</p>`}
${!n&&o`<${C} title=${z} offers=${D} chosen=${k} choose=${y} over=${f} />`}
${!g&&o`<a class="btn plain" style="justify-self:start" href="#/free">${e("free.have")}</a>`}<${ue} /><div class="act stick">${L&&o`<${b} kind="error" live>${L}<//>`}
${w!==null&&!i&&o`<${b} icon="clock">${e("wait.until",{at:Y(w)})}<//>`}
${G?o`
<${b} icon="clock" live><b>${e("ordering.title")}</b> ${e("ordering.lead",{since:Y(G.since)})}<//><button class="btn plain wide" onClick=${()=>S.takeBackOrder()}>${e("intent.undo")}</button>
`:B?o`
<${b} icon="wifi" live>${e(p==="mobile"?"choose.mobile":"choose.ask")}<//><button class="btn wide" onClick=${x}><${h} name="down" />${e(p==="mobile"?"choose.mobile_yes":"choose.ask_yes")}</button><button class="btn plain wide" onClick=${()=>E(!1)}>${e("choose.ask_no")}</button>
`:X?o`
<a class="btn wide" href="#/pass">${e("pass.buy",{price:K(i?.price_kobo??0)})}</a><p class="small soft centre">${e("pass.see")}</p>
`:g&&!i&&!n?o`<a class="btn wide" href="#/free">${e(`free.${g}`)}</a>`:V&&!i?o`
<${b} icon="clock" live>${e(r?"wait.joined":"wait.lead")}<//>${!r&&o`<button class="btn wide" onClick=${()=>ee(V[0])}><${h} name="bell" />${e("wait.join")}</button>`}
`:w!==null&&!i?o`<a class="btn wide" download="kswifi.ics" href=${he(w)}><${h} name="bell" />${e("remind.button")}</a>`:o`
<button class="btn wide" disabled=${Q||!isSecureContext} onClick=${x}><${h} name="down" />${e("choose.button")}</button><p class="small soft centre">${i?e("choose.tiny",{size:ae(i.allowance_octets)}):e("choose.pick")}</p>
`}</div>
`}export{ve as default};
